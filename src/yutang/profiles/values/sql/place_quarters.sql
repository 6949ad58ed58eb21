-- The existing value by local quarter of whom each place knows, from a table `worth`; a person known at several places
-- is in each.
WITH bought AS (
    SELECT
        coalesce(merged.survivor, worth.person) AS person, day_in_zone(worth.placed_at, $zone) AS day, worth.amount
    FROM worth
    LEFT JOIN person_overrides AS merged ON merged.birth = worth.person
    WHERE worth.placed_at <= $as_of
),
quarters AS (
    SELECT person, year(day) AS year, (month(day) - 1) // 3 + 1 AS quarter, sum(amount) AS amount
    FROM bought
    GROUP BY person, year(day), (month(day) - 1) // 3 + 1
)
SELECT
    scopes.node, quarters.year, quarters.quarter, CAST(sum(quarters.amount) AS DECIMAL(18,2)) AS amount,
    count(*) AS persons
FROM quarters
JOIN fact_scopes AS scopes ON scopes.person = quarters.person
GROUP BY scopes.node, quarters.year, quarters.quarter
ORDER BY scopes.node, quarters.year, quarters.quarter
