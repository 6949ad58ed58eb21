-- Whether so few are touched that their orders and lines are better copied aside than looked for again and again: of
-- $share persons at most one. Counted roughly and before the write; either way the rows come out alike.
SELECT $share * (
    (
        SELECT count(*) FROM events
        WHERE type LIKE 'order.%' AND slice IN (
            SELECT s.slice FROM slices AS s WHERE NOT EXISTS (SELECT 1 FROM profile_slices AS p WHERE p.slice = s.slice)
        )
    ) + (
        SELECT count(*) FROM events
        WHERE type LIKE 'order.%' AND import_id IN (
            SELECT c.import_id FROM import_chunks AS c
            WHERE NOT EXISTS (SELECT 1 FROM profile_chunks AS p WHERE p.import_id = c.import_id AND p.chunk = c.chunk)
        )
    ) + (SELECT count(*) FROM profiles WHERE next_edge_at <= $as_of)
) <= (SELECT count(*) FROM profiles) AS few
