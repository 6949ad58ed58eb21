-- Whether any person's row may differ at $as_of from what stands: new slices or chunks, merges, births, edges passed.
SELECT
    EXISTS (SELECT 1 FROM slices AS s WHERE NOT EXISTS (SELECT 1 FROM profile_slices AS p WHERE p.slice = s.slice))
    OR EXISTS (
        SELECT 1 FROM import_chunks AS c
        WHERE NOT EXISTS (SELECT 1 FROM profile_chunks AS p WHERE p.import_id = c.import_id AND p.chunk = c.chunk)
    )
    OR EXISTS (
        SELECT 1 FROM person_overrides AS o
        FULL JOIN profile_overrides AS p ON p.birth = o.birth
        WHERE o.survivor IS DISTINCT FROM p.survivor
    )
    OR (SELECT count(*) FROM facts) <> (SELECT count(*) FROM profiles)
    OR coalesce((SELECT min(next_edge_at) FROM profiles) <= $as_of, FALSE)
    OR coalesce((SELECT min(next_edge_at) FROM profile_more) <= $as_of, FALSE) AS due
