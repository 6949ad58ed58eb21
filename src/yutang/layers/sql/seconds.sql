-- When each person bought for the second time, by $as_of: at another instant than the first.
SELECT profiles.person, min(orders.placed_at) AS second_at
FROM orders
LEFT JOIN person_overrides AS merged ON merged.birth = orders.person
JOIN profiles ON profiles.person = coalesce(merged.survivor, orders.person)
WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND orders.placed_at > profiles.first_order_at
GROUP BY profiles.person
