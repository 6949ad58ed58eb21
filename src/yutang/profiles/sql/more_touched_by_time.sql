-- For whom a row entered or left the window of some trait by time alone, for each kind of rows.
INSERT INTO profile_more_touched
SELECT DISTINCT asked_traits.kind, m.person
FROM profile_more AS m
JOIN asked_traits ON asked_traits.trait = m.trait
WHERE m.next_edge_at <= $as_of
