-- The orders of each of these birth persons as they stand now, cancelled ones left out.
SELECT orders.person, count(*) AS orders, coalesce(sum(orders.net_amount), 0) AS spend, max(orders.placed_at) AS last_at
FROM orders
WHERE orders.person IN (SELECT births.person FROM births) AND orders.cancelled_at IS NULL
GROUP BY orders.person
