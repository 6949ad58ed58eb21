-- What happened to the orders of persons: events that stay as nobody's.
SELECT event_id, occurred_at, source, props
FROM events e
SEMI JOIN births b ON b.person = e.person
WHERE starts_with(e.type, 'order.')
ORDER BY event_id, occurred_at
