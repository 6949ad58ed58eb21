-- The work of a refresh: the birth persons of those touched, with their survivors.
INSERT INTO profile_work
SELECT f.person, f.person FROM facts AS f
WHERE f.person IN (SELECT person FROM profile_touched)
    AND NOT EXISTS (SELECT 1 FROM person_overrides AS o WHERE o.birth = f.person)
UNION ALL
SELECT o.birth, o.survivor FROM person_overrides AS o
WHERE o.survivor IN (SELECT person FROM profile_touched)
    AND EXISTS (SELECT 1 FROM facts AS f WHERE f.person = o.survivor)
