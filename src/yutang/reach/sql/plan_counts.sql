-- Every touch of the plans by its last attempt: outcome, latest receipt, how many. Who expired, became another person
-- by a merge and was taken up again as that one is counted there.
WITH told AS (
    SELECT d.touch, d.plan, d.occasion, d.person, d.attempt, d.outcome, d.reason
    FROM decisions d
    SEMI JOIN wanted w ON w.plan = d.plan
    WHERE EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
last_attempt AS (
    SELECT plan, occasion, person, max(attempt) AS attempt FROM told GROUP BY plan, occasion, person
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
        ELSE coalesce(l.state, 'pending')
    END AS state,
    CASE WHEN d.outcome = 'suppressed' THEN d.reason WHEN l.state = 'suppressed' THEN l.reason END AS reason,
    count(*) AS touches
FROM told d
JOIN last_attempt a ON a.plan = d.plan AND a.occasion = d.occasion AND a.person = d.person AND a.attempt = d.attempt
LEFT JOIN latest l ON l.touch = d.touch
LEFT JOIN taken_up t ON t.plan = d.plan AND t.occasion = d.occasion AND t.person = d.person
WHERE NOT (coalesce(l.state, '') = 'expired' AND coalesce(t.attempt, 0) > d.attempt)
GROUP BY ALL
ORDER BY ALL
