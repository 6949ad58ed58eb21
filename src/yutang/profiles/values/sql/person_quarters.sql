-- What the orders of a person came to, by local quarter, the latest first.
SELECT year(day) AS year, (month(day) - 1) // 3 + 1 AS quarter, sum(amount) AS amount, count(DISTINCT day) AS days
FROM (
    SELECT day_in_zone(orders.placed_at, $zone) AS day, orders.net_amount AS amount
    FROM orders
    JOIN births ON births.person = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of
) AS bought
GROUP BY year(day), (month(day) - 1) // 3 + 1
ORDER BY year DESC, quarter DESC
LIMIT $most
