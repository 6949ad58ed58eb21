-- Who took which step of the loop when, by node where the person is known (-1: everybody): met, bought, bought again,
-- bought of a category that was not in the first order, brought somebody. Days are local; steps before $since have none.
-- `seconds` and `inviters` are put below it. A step counts once those before it are taken.
WITH shelves AS (
    SELECT coalesce(merged.survivor, orders.person) AS person, lines.category, min(orders.placed_at) AS first_at
    FROM order_lines AS lines
    JOIN orders
        ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
    LEFT JOIN person_overrides AS merged ON merged.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND lines.category IS NOT NULL
    GROUP BY 1, 2
),
wider AS (
    SELECT profiles.person, min(shelves.first_at) AS wider_at
    FROM shelves
    JOIN profiles ON profiles.person = shelves.person
    WHERE shelves.first_at > profiles.first_order_at
    GROUP BY profiles.person
),
widened AS (
    SELECT wider.person, greatest(wider.wider_at, seconds.second_at) AS taken_at
    FROM wider
    JOIN seconds ON seconds.person = wider.person
),
steps AS (
    SELECT facts.person, 0 AS step, least(coalesce(facts.born_at, profiles.first_order_at), profiles.first_order_at) AS taken_at
    FROM facts
    JOIN profiles ON profiles.person = facts.person
    WHERE profiles.first_order_at IS NOT NULL
    UNION ALL
    SELECT facts.person, 0 AS step, facts.born_at AS taken_at
    FROM facts
    LEFT JOIN profiles ON profiles.person = facts.person
    WHERE profiles.first_order_at IS NULL
    UNION ALL
    SELECT person, 1 AS step, first_order_at AS taken_at FROM profiles WHERE first_order_at IS NOT NULL
    UNION ALL
    SELECT person, 2 AS step, second_at AS taken_at FROM seconds
    UNION ALL
    SELECT person, 3 AS step, taken_at FROM widened
    UNION ALL
    SELECT widened.person, 4 AS step, greatest(widened.taken_at, inviters.brought_at) AS taken_at
    FROM widened
    JOIN inviters ON inviters.person = widened.person
),
dated AS (
    SELECT
        person, step,
        CASE WHEN taken_at >= $since THEN day_in_zone(taken_at, $zone) END AS day
    FROM steps
    WHERE taken_at IS NULL OR taken_at <= $as_of
),
placed AS (
    SELECT person, -1 AS node FROM facts
    UNION ALL
    SELECT person, node FROM fact_scopes
)
SELECT placed.node, dated.step, dated.day, count(DISTINCT dated.person) AS persons
FROM dated
JOIN placed ON placed.person = dated.person
GROUP BY placed.node, dated.step, dated.day
