-- The persons of one attempt whose touch expired untapped, to be gated once more. Who has become one person with
-- somebody of the same plan who is held out, was reached or may still be, is not: it would undo the arm, or say it twice.
WITH told AS (
    SELECT d.run, d.outcome, coalesce(o.survivor, d.person) AS person, coalesce(l.state, 'pending') AS state
    FROM decisions d
    LEFT JOIN receipts l ON l.touch = d.touch AND l.state IN ('sent', 'failed', 'expired', 'suppressed')
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.outcome <> 'suppressed' AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
)
SELECT DISTINCT e.person
FROM told e
WHERE e.run = $run AND e.outcome = 'send' AND e.state = 'expired'
  AND NOT EXISTS (
      SELECT 1 FROM told t WHERE t.person = e.person AND t.state NOT IN ('expired', 'failed', 'suppressed')
  )
ORDER BY e.person
