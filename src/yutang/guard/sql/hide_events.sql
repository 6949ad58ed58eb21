-- What happened to the orders of persons becomes nobody's, under hashes instead of ids.
UPDATE events
SET person = NULL, staff = NULL, event_id = h.hidden, props = h.hidden_props
FROM hidden_events h
WHERE events.event_id = h.event_id AND events.occurred_at = h.occurred_at
  AND events.person IN (SELECT person FROM births)
