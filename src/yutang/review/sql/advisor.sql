-- Of each category, and of everything (''), what `chosen` (birth, person) bought since $since: how often, how dear.
-- A year has 365.25 days; who first bought before $half could have come again.
WITH baskets AS (
    SELECT chosen.person, lines.category, orders.source, orders.order_id, orders.placed_at, sum(lines.amount) AS amount
    FROM order_lines AS lines
    JOIN orders
        ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
    JOIN chosen ON chosen.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND orders.placed_at > $since
        AND lines.category IS NOT NULL
    GROUP BY chosen.person, lines.category, orders.source, orders.order_id, orders.placed_at
    UNION ALL
    SELECT chosen.person, '' AS category, orders.source, orders.order_id, orders.placed_at, orders.net_amount AS amount
    FROM orders
    JOIN chosen ON chosen.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND orders.placed_at > $since
),
people AS (
    SELECT
        category, person, CAST(count(*) - 1 AS DOUBLE) AS repeats,
        date_diff('second', min(placed_at), CAST($as_of AS TIMESTAMP)) / 31557600.0 AS years,
        min(placed_at) <= $half AS old
    FROM baskets
    GROUP BY category, person
),
prices AS (
    SELECT category, count(*) AS baskets, median(CAST(amount AS DOUBLE)) AS price FROM baskets GROUP BY category
)
SELECT
    people.category, count(*) AS buyers, any_value(prices.baskets) AS baskets, any_value(prices.price) AS price,
    sum(repeats) AS repeats, sum(years) AS years,
    sum(repeats * repeats) AS repeats2, sum(repeats * years) AS both2, sum(years * years) AS years2,
    count(*) FILTER (WHERE old) AS old, count(*) FILTER (WHERE old AND repeats > 0) AS again
FROM people
JOIN prices ON prices.category = people.category
GROUP BY people.category
