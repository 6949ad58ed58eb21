-- Who of `members` was not in the segment when it was last recorded, and who was and is no more.
INSERT INTO segment_changes
WITH before AS (
    SELECT person FROM segment_changes
    WHERE segment = $segment
    GROUP BY person
    HAVING sum(CASE WHEN entered THEN 1 ELSE -1 END) > 0
)
SELECT $segment, $version, m.person, TRUE, $at, $run
FROM members AS m
WHERE NOT EXISTS (SELECT 1 FROM before AS b WHERE b.person = m.person)
UNION ALL
SELECT $segment, $version, b.person, FALSE, $at, $run
FROM before AS b
WHERE NOT EXISTS (SELECT 1 FROM members AS m WHERE m.person = b.person)
