-- The slices whose events the profiles now hold. Kept as a set: a slice may be applied after a later one.
INSERT INTO profile_slices
SELECT s.slice FROM slices AS s WHERE NOT EXISTS (SELECT 1 FROM profile_slices AS p WHERE p.slice = s.slice)
