-- Every touch of the plans by its last attempt: outcome, latest receipt, how many. Who expired, became another person
-- by a merge and was taken up again as that one is counted there.
WITH latest AS (
    SELECT touch, arg_max(state, recorded_at) AS state, arg_max(reason, recorded_at) AS reason
    FROM receipts GROUP BY touch
),
last_attempt AS (
    SELECT d.plan, d.occasion, d.person, max(d.attempt) AS attempt
    FROM decisions d
    SEMI JOIN wanted w ON w.plan = d.plan
    WHERE EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
    GROUP BY d.plan, d.occasion, d.person
),
taken_up AS (
    SELECT a.plan, a.occasion, o.birth AS person, a.attempt
    FROM last_attempt a
    JOIN person_overrides o ON o.survivor = a.person
    WHERE a.attempt > 1
)
SELECT
    d.plan,
    CASE
        WHEN d.outcome <> 'send' THEN d.outcome
        WHEN l.state IS NULL OR l.state = 'issued' THEN 'pending'
        ELSE l.state
    END AS state,
    CASE WHEN d.outcome = 'suppressed' THEN d.reason WHEN l.state = 'suppressed' THEN l.reason END AS reason,
    count(*) AS touches
FROM decisions d
JOIN last_attempt a ON a.plan = d.plan AND a.occasion = d.occasion AND a.person = d.person AND a.attempt = d.attempt
LEFT JOIN latest l ON l.touch = d.touch
WHERE EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
  AND NOT (
      coalesce(l.state, '') = 'expired' AND EXISTS (
          SELECT 1 FROM taken_up t
          WHERE t.plan = d.plan AND t.occasion = d.occasion AND t.person = d.person AND t.attempt > d.attempt
      )
  )
GROUP BY ALL
ORDER BY ALL
