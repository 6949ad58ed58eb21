-- What the orders of a person brought, by local quarter, the latest first, from a table `worth` of their orders only.
WITH bought AS (
    SELECT day_in_zone(worth.placed_at, $zone) AS day, worth.amount FROM worth WHERE worth.placed_at <= $as_of
)
SELECT year(day) AS year, (month(day) - 1) // 3 + 1 AS quarter, sum(amount) AS amount, count(DISTINCT day) AS days
FROM bought
GROUP BY year(day), (month(day) - 1) // 3 + 1
ORDER BY year DESC, quarter DESC
LIMIT $most
