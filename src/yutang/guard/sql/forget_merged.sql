-- Who was parted from an erased person since profiles were computed still has theirs in the row: computed anew, without.
DELETE FROM profiles
WHERE person IN (SELECT p.survivor FROM profile_overrides AS p JOIN births ON births.person = p.birth)
