-- The audience of a plan as it was frozen at launch, each under the person they are today; without those whom an
-- earlier wave decided, for a merge may carry somebody from an earlier wave into a later one.
WITH decided AS (
    SELECT coalesce(o.survivor, d.person) AS person
    FROM decisions d
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.occasion <> $occasion AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
)
SELECT DISTINCT coalesce(o.survivor, a.person) AS person
FROM plan_audience a
LEFT JOIN person_overrides o ON o.birth = a.person
WHERE a.plan = $plan AND NOT EXISTS (SELECT 1 FROM decided e WHERE e.person = coalesce(o.survivor, a.person))
ORDER BY person
