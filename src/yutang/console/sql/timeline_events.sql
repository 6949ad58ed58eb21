-- What else happened to one person, newest first: every event but orders; of stores that the viewer does not see, none.
SELECT events.event_id, events.type, events.occurred_at AS at, events.store, events.staff, events.plan, events.channel, events.props
FROM events
WHERE events.person IN (SELECT births.person FROM births) AND events.type NOT LIKE 'order.%'
    AND events.occurred_at <= $as_of AND events.occurred_at < $before
    AND ($sees_all OR events.store IS NULL OR events.store IN (SELECT seen.node FROM seen))
ORDER BY events.occurred_at DESC, events.received_at DESC, events.event_id DESC
LIMIT $limit
