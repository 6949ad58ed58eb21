-- Every number under which a person bought, with the person they are now.
SELECT person AS birth, person FROM profiles WHERE orders_ever > 0
UNION ALL
SELECT merged.birth, merged.survivor AS person
FROM person_overrides AS merged
JOIN profiles ON profiles.person = merged.survivor
WHERE profiles.orders_ever > 0
