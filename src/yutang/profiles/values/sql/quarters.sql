-- The existing value by local quarter, from a table `worth`: what it brought and of how many persons; of everybody (no
-- `node`), and of whom each place knows, where a person known at several places is in each.
WITH days AS (
    SELECT
        coalesce(merged.survivor, worth.person) AS person, day_in_zone(worth.placed_at, $zone) AS day, worth.amount
    FROM worth
    LEFT JOIN person_overrides AS merged ON merged.birth = worth.person
    WHERE worth.placed_at <= $as_of
),
each AS (
    SELECT person, year(day) AS year, (month(day) - 1) // 3 + 1 AS quarter, sum(amount) AS amount
    FROM days
    GROUP BY person, year(day), (month(day) - 1) // 3 + 1
),
places AS (
    SELECT CAST(NULL AS BIGINT) AS node, each.year, each.quarter, each.amount FROM each
    UNION ALL
    SELECT scopes.node, each.year, each.quarter, each.amount
    FROM each
    JOIN fact_scopes AS scopes ON scopes.person = each.person
)
SELECT node, year, quarter, CAST(sum(amount) AS DECIMAL(18,2)) AS amount, count(*) AS persons
FROM places
GROUP BY node, year, quarter
ORDER BY node, year, quarter
