-- Everyone whose rows may differ because of who is whom: merged and un-merged, come and gone.
INSERT INTO profile_touched
WITH moved AS (
    SELECT coalesce(o.birth, p.birth) AS birth, o.survivor AS now, p.survivor AS before
    FROM person_overrides AS o
    FULL JOIN profile_overrides AS p ON p.birth = o.birth
    WHERE o.survivor IS DISTINCT FROM p.survivor
)
SELECT birth AS person FROM moved
UNION
SELECT now FROM moved WHERE now IS NOT NULL
UNION
SELECT before FROM moved WHERE before IS NOT NULL
UNION
SELECT coalesce(f.person, p.person) FROM facts AS f
FULL JOIN profiles AS p ON p.person = f.person
WHERE f.person IS NULL OR p.person IS NULL
