-- Who is touched so far, for each of these kinds of rows.
INSERT INTO profile_more_touched
SELECT DISTINCT asked_kinds.kind, touched.person FROM profile_touched AS touched CROSS JOIN asked_kinds
