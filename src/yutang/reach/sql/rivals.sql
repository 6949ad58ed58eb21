-- How many persons of an audience each of these plans speaks to.
SELECT a.plan, count(DISTINCT coalesce(o.survivor, a.person)) AS shared
FROM plan_audience a
SEMI JOIN wanted w ON w.plan = a.plan
LEFT JOIN person_overrides o ON o.birth = a.person
WHERE coalesce(o.survivor, a.person) IN (SELECT person FROM audience)
GROUP BY a.plan
ORDER BY shared DESC, a.plan
