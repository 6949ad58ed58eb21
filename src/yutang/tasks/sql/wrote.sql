-- Whether one person wrote to us, to a guide or to customer service, within a span.
SELECT count(*) > 0 AS wrote
FROM events
WHERE events.person IN (SELECT births.person FROM births) AND events.type = 'message.received'
    AND events.occurred_at > $since AND events.occurred_at <= $until
