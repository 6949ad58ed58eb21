-- Everyone for whom an order entered or left a window by time alone.
INSERT INTO profile_touched
SELECT person FROM profiles WHERE next_edge_at <= $as_of
