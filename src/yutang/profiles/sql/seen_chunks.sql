-- The import chunks whose events the profiles now hold.
INSERT INTO profile_chunks
SELECT c.import_id, c.chunk FROM import_chunks AS c
WHERE NOT EXISTS (SELECT 1 FROM profile_chunks AS p WHERE p.import_id = c.import_id AND p.chunk = c.chunk)
