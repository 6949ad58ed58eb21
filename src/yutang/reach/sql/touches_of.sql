-- Everything the gate ever said of one person, newest first.
WITH told AS (
    SELECT d.touch, d.plan, d.occasion, d.attempt, d.outcome, d.reason, d.decided_at, d.due_at
    FROM decisions d
    WHERE d.person IN (SELECT $person UNION ALL SELECT o.birth FROM person_overrides o WHERE o.survivor = $person)
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
)
SELECT d.plan, d.occasion, d.attempt, d.outcome, d.reason, l.state, l.reason AS state_reason, d.decided_at, d.due_at,
       l."at" AS state_at
FROM told d
LEFT JOIN latest l ON l.touch = d.touch
ORDER BY d.decided_at DESC, d.attempt DESC, d.touch
LIMIT $limit
