-- The persons of one attempt whose touch expired untapped.
WITH latest AS (
    SELECT touch, arg_max(state, recorded_at) AS state FROM receipts GROUP BY touch
)
SELECT DISTINCT coalesce(o.survivor, d.person) AS person
FROM decisions d
JOIN latest l ON l.touch = d.touch AND l.state = 'expired'
LEFT JOIN person_overrides o ON o.birth = d.person
WHERE d.run = $run AND d.outcome = 'send'
ORDER BY person
