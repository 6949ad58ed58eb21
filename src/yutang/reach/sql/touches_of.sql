-- Everything the gate ever said of one person, newest first.
WITH latest AS (
    SELECT r.touch, arg_max(r.state, r.recorded_at) AS state, arg_max(r.reason, r.recorded_at) AS reason,
           max(r.at) AS at
    FROM receipts r GROUP BY r.touch
)
SELECT d.plan, d.occasion, d.attempt, d.outcome, d.reason, l.state, l.reason AS state_reason, d.decided_at, d.due_at,
       l.at AS state_at
FROM decisions d
LEFT JOIN person_overrides o ON o.birth = d.person
LEFT JOIN latest l ON l.touch = d.touch
WHERE coalesce(o.survivor, d.person) = $person
  AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
ORDER BY d.decided_at DESC, d.attempt DESC
LIMIT $limit
