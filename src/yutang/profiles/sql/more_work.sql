-- The births of those touched, with their survivors, for each kind of rows.
INSERT INTO profile_more_work
WITH touched AS (SELECT DISTINCT kind, person FROM profile_more_touched)
SELECT touched.kind, f.person, f.person FROM touched
JOIN facts AS f ON f.person = touched.person
WHERE NOT EXISTS (SELECT 1 FROM person_overrides AS o WHERE o.birth = f.person)
UNION ALL
SELECT touched.kind, o.birth, o.survivor FROM touched
JOIN person_overrides AS o ON o.survivor = touched.person
WHERE EXISTS (SELECT 1 FROM facts AS f WHERE f.person = o.survivor)
