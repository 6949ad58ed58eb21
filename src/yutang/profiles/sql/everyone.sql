-- The work of a rebuild: every birth person with its survivor.
INSERT INTO profile_work
SELECT f.person, f.person FROM facts AS f
WHERE NOT EXISTS (SELECT 1 FROM person_overrides AS o WHERE o.birth = f.person)
UNION ALL
SELECT o.birth, o.survivor FROM person_overrides AS o
WHERE EXISTS (SELECT 1 FROM facts AS f WHERE f.person = o.survivor)
