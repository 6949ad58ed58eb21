-- The audience of a plan as it was frozen at launch, each under the person they are today.
SELECT DISTINCT coalesce(o.survivor, a.person) AS person
FROM plan_audience a
LEFT JOIN person_overrides o ON o.birth = a.person
WHERE a.plan = $plan
ORDER BY person
