-- What each person, as they are now, paid something for.
SELECT coalesce(o.survivor, r.person) AS person, r.placed_at, r.net_amount
FROM orders AS r
LEFT JOIN person_overrides AS o ON o.birth = r.person
WHERE r.cancelled_at IS NULL AND r.net_amount > 0
