-- Everybody's profile as an analyst would write it in one query for this instant: the same columns, and no next edge.
CREATE OR REPLACE TABLE by_hand AS
WITH standing AS (
    SELECT
        coalesce(o.survivor, orders.person) AS person, store, placed_at, net_amount AS spend,
        coalesce(discount, 0) AS discount, day_in_zone(placed_at, $zone) AS day
    FROM orders
    LEFT JOIN person_overrides AS o ON o.birth = orders.person
    WHERE cancelled_at IS NULL AND placed_at <= $as_of
),
totals AS (
    SELECT
        person,
        count(*) FILTER (WHERE placed_at > $as_of - INTERVAL 30 DAY) AS orders_30d,
        count(*) FILTER (WHERE placed_at > $as_of - INTERVAL 90 DAY) AS orders_90d,
        count(*) FILTER (WHERE placed_at > $as_of - INTERVAL 365 DAY) AS orders_365d,
        count(*) AS orders_ever,
        sum(spend) FILTER (WHERE placed_at > $as_of - INTERVAL 30 DAY) AS spend_30d,
        sum(spend) FILTER (WHERE placed_at > $as_of - INTERVAL 90 DAY) AS spend_90d,
        sum(spend) FILTER (WHERE placed_at > $as_of - INTERVAL 365 DAY) AS spend_365d,
        sum(spend) AS spend_ever,
        sum(discount) FILTER (WHERE placed_at > $as_of - INTERVAL 90 DAY) AS discount_90d,
        sum(discount) FILTER (WHERE placed_at > $as_of - INTERVAL 365 DAY) AS discount_365d,
        min(placed_at) AS first_order_at, max(placed_at) AS last_order_at
    FROM standing GROUP BY person
),
days AS (
    SELECT
        person, day, max(placed_at) AS last_at,
        date_diff('day', lag(day) OVER (PARTITION BY person ORDER BY day), day) AS gap
    FROM standing GROUP BY person, day
),
visits AS (
    SELECT
        person,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 30 DAY) AS visit_days_30d,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 90 DAY) AS visit_days_90d,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 365 DAY) AS visit_days_365d,
        count(*) AS visit_days_ever, min(day) AS first_visit_day, max(day) AS last_visit_day,
        median(gap) AS median_gap_days
    FROM days GROUP BY person
),
homes AS (
    SELECT person, arg_max(store, (orders, spend, last_at, -store)) AS home_store FROM (
        SELECT person, store, count(*) AS orders, sum(spend) AS spend, max(placed_at) AS last_at
        FROM standing WHERE store IS NOT NULL GROUP BY person, store
    ) GROUP BY person
),
goods AS (
    SELECT
        person,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 30 DAY) AS categories_30d,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 90 DAY) AS categories_90d,
        count(*) FILTER (WHERE last_at > $as_of - INTERVAL 365 DAY) AS categories_365d,
        count(*) AS categories_ever
    FROM (
        SELECT coalesce(o.survivor, orders.person) AS person, category, max(orders.placed_at) AS last_at
        FROM order_lines AS lines
        JOIN orders ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
        LEFT JOIN person_overrides AS o ON o.birth = orders.person
        WHERE cancelled_at IS NULL AND orders.placed_at <= $as_of AND category IS NOT NULL
        GROUP BY ALL
    ) GROUP BY person
)
SELECT * FROM facts
LEFT JOIN totals USING (person)
LEFT JOIN visits USING (person)
LEFT JOIN homes USING (person)
LEFT JOIN goods USING (person)
