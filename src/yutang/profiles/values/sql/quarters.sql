-- The existing value by local quarter, from a table `worth`: what it brought, and of how many persons.
WITH days AS (
    SELECT
        coalesce(merged.survivor, worth.person) AS person, day_in_zone(worth.placed_at, $zone) AS day, worth.amount
    FROM worth
    LEFT JOIN person_overrides AS merged ON merged.birth = worth.person
    WHERE worth.placed_at <= $as_of
)
SELECT
    year(day) AS year, (month(day) - 1) // 3 + 1 AS quarter, sum(amount) AS amount, count(DISTINCT person) AS persons
FROM days
GROUP BY year(day), (month(day) - 1) // 3 + 1
ORDER BY year, quarter
