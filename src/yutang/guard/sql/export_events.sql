-- Everything that happened to a person, the oldest first.
SELECT e.event_id, e.type, e.occurred_at, e.received_at, e.store, e.source, e.channel, e.amount, e.currency, e.props
FROM events e
SEMI JOIN births b ON b.person = e.person
ORDER BY e.occurred_at, e.event_id
