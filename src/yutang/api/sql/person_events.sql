-- What happened to the persons in `births` (one survivor's), newest first, of what happened at once what came last.
-- A viewer who does not see the whole brand (`$sees_all`) is told nothing that happened at a store outside `seen` or
-- with staff outside `colleagues`.
SELECT
    e.event_id AS id, e.type, e.occurred_at, e.received_at, e.store, e.source, e.plan, e.channel, e.amount, e.currency,
    e.props
FROM events e
SEMI JOIN births b ON b.person = e.person
WHERE $sees_all OR (
    (e.store IS NULL OR e.store IN (SELECT node FROM seen))
    AND (e.staff IS NULL OR e.staff IN (SELECT staff FROM colleagues))
)
ORDER BY e.occurred_at DESC, e.received_at DESC, e.event_id DESC
LIMIT $limit OFFSET $offset
