-- Whose traits may differ because of new events of the types that some trait asks of, for each kind of rows.
INSERT INTO profile_more_touched
WITH fresh AS (
    SELECT person, type FROM events
    WHERE type IN (SELECT type FROM asked_types) AND slice IN (
        SELECT s.slice FROM slices AS s WHERE NOT EXISTS (SELECT 1 FROM profile_slices AS p WHERE p.slice = s.slice)
    )
    UNION ALL
    SELECT person, type FROM events
    WHERE type IN (SELECT type FROM asked_types) AND import_id IN (
        SELECT c.import_id FROM import_chunks AS c
        WHERE NOT EXISTS (SELECT 1 FROM profile_chunks AS p WHERE p.import_id = c.import_id AND p.chunk = c.chunk)
    )
)
SELECT DISTINCT asked_types.kind, coalesce(o.survivor, fresh.person) AS person
FROM fresh
JOIN asked_types ON asked_types.type = fresh.type
LEFT JOIN person_overrides AS o ON o.birth = fresh.person
WHERE fresh.person IS NOT NULL
