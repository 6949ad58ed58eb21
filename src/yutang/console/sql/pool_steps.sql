-- Who took which step of the pond, by invented or real: bought, bought again, bought of a category not in the first order.
-- `_now` counts steps taken in the 30 days to $as_of, `_then` in the 30 days before those.
WITH standing AS (
    SELECT
        coalesce(merged.survivor, orders.person) AS person, orders.placed_at,
        row_number() OVER (
            PARTITION BY coalesce(merged.survivor, orders.person) ORDER BY orders.placed_at, orders.order_id
        ) AS nth
    FROM orders
    LEFT JOIN person_overrides AS merged ON merged.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of
),
firsts AS (
    SELECT person, max(placed_at) FILTER (WHERE nth = 1) AS first_at, max(placed_at) FILTER (WHERE nth = 2) AS second_at
    FROM standing
    WHERE nth <= 2
    GROUP BY person
),
shelves AS (
    SELECT coalesce(merged.survivor, lines.person) AS person, lines.category, min(lines.placed_at) AS first_at
    FROM order_lines AS lines
    LEFT JOIN person_overrides AS merged ON merged.birth = lines.person
    WHERE lines.placed_at <= $as_of AND lines.category IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM orders
            WHERE orders.cancelled_at IS NOT NULL
                AND orders.source = lines.source AND orders.order_id = lines.order_id
        )
    GROUP BY 1, 2
),
widened AS (
    SELECT firsts.person, min(shelves.first_at) AS other_at
    FROM firsts
    JOIN shelves ON shelves.person = firsts.person AND shelves.first_at > firsts.first_at
    GROUP BY firsts.person
)
SELECT
    coalesce(facts.synthetic, FALSE) AS synthetic,
    count(firsts.first_at) AS customers,
    count(*) FILTER (WHERE firsts.first_at > $from_30) AS customers_now,
    count(*) FILTER (WHERE firsts.first_at > $from_60 AND firsts.first_at <= $from_30) AS customers_then,
    count(firsts.second_at) AS repeat,
    count(*) FILTER (WHERE firsts.second_at > $from_30) AS repeat_now,
    count(*) FILTER (WHERE firsts.second_at > $from_60 AND firsts.second_at <= $from_30) AS repeat_then,
    count(widened.other_at) AS widened,
    count(*) FILTER (WHERE widened.other_at > $from_30) AS widened_now,
    count(*) FILTER (WHERE widened.other_at > $from_60 AND widened.other_at <= $from_30) AS widened_then,
    count(*) FILTER (
        WHERE facts.born_at <= $from_90 AND (firsts.first_at IS NULL OR firsts.first_at > $from_90)
    ) AS prospects_then,
    count(*) FILTER (WHERE facts.born_at <= $from_90 AND firsts.first_at > $from_90) AS prospects_bought
FROM facts
LEFT JOIN firsts ON firsts.person = facts.person
LEFT JOIN widened ON widened.person = facts.person
WHERE $sees_all OR facts.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
)
GROUP BY 1
ORDER BY 1
