-- One row per person of profile_work: every stored trait at $as_of, scores left out. Reads orders as they stand now.
-- An order counts from placed_at on; a window holds placed_at in ($from, $as_of], so it is left at placed_at + N days.
INSERT INTO profiles BY NAME
WITH standing AS MATERIALIZED (
    SELECT
        work.person, orders.store, orders.placed_at, orders.net_amount AS spend, orders.margin, orders.costed,
        coalesce(orders.discount, 0) AS discount, day_in_zone(orders.placed_at, $zone) AS day
    FROM orders
    JOIN profile_work AS work ON work.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of
),
totals AS (
    SELECT
        person,
        count(*) FILTER (WHERE placed_at > $from_30) AS orders_30d,
        count(*) FILTER (WHERE placed_at > $from_90) AS orders_90d,
        count(*) FILTER (WHERE placed_at > $from_365) AS orders_365d,
        count(*) AS orders_ever,
        sum(spend) FILTER (WHERE placed_at > $from_30) AS spend_30d,
        sum(spend) FILTER (WHERE placed_at > $from_90) AS spend_90d,
        sum(spend) FILTER (WHERE placed_at > $from_365) AS spend_365d,
        sum(spend) AS spend_ever,
        sum(discount) FILTER (WHERE placed_at > $from_90) AS discount_90d,
        sum(discount) FILTER (WHERE placed_at > $from_365) AS discount_365d,
        sum(margin) FILTER (WHERE placed_at > $from_365) AS margin_365d,
        sum(margin) AS margin_ever,
        sum(costed) FILTER (WHERE placed_at > $from_365) AS costed_365d,
        sum(costed) AS costed_ever,
        min(placed_at) AS first_order_at,
        max(placed_at) AS last_order_at,
        min(placed_at) FILTER (WHERE placed_at > $from_30) + INTERVAL 30 DAY AS leaves_30,
        min(placed_at) FILTER (WHERE placed_at > $from_90) + INTERVAL 90 DAY AS leaves_90,
        min(placed_at) FILTER (WHERE placed_at > $from_365) + INTERVAL 365 DAY AS leaves_365
    FROM standing
    GROUP BY person
),
-- A day is in a window while its latest order is: the one that is followed by another day, or by none.
days AS (
    SELECT
        person, placed_at, day,
        date_diff('day', day, lead(day) OVER (PARTITION BY person ORDER BY day, placed_at)) AS gap
    FROM standing
),
visits AS (
    SELECT
        person,
        count(*) FILTER (WHERE placed_at > $from_30) AS visit_days_30d,
        count(*) FILTER (WHERE placed_at > $from_90) AS visit_days_90d,
        count(*) FILTER (WHERE placed_at > $from_365) AS visit_days_365d,
        count(*) AS visit_days_ever,
        min(day) AS first_visit_day,
        max(day) AS last_visit_day,
        CAST(median(gap) AS DOUBLE) AS median_gap_days
    FROM days
    WHERE gap IS DISTINCT FROM 0
    GROUP BY person
),
shops AS (
    SELECT person, store, count(*) AS orders, sum(spend) AS spend, max(placed_at) AS last_at
    FROM standing
    WHERE store IS NOT NULL
    GROUP BY person, store
),
homes AS (
    SELECT person, store AS home_store
    FROM shops
    QUALIFY row_number() OVER (PARTITION BY person ORDER BY orders DESC, spend DESC, last_at DESC, store) = 1
),
-- Lines know by themselves whether they count, and whose and when their order is.
shelves AS (
    SELECT work.person, lines.category, max(lines.placed_at) AS last_at
    FROM order_lines AS lines
    JOIN profile_work AS work ON work.birth = lines.person
    WHERE NOT coalesce(lines.void, FALSE) AND lines.placed_at <= $as_of AND lines.category IS NOT NULL
    GROUP BY work.person, lines.category
),
variety AS (
    SELECT
        person,
        count(*) FILTER (WHERE last_at > $from_30) AS categories_30d,
        count(*) FILTER (WHERE last_at > $from_90) AS categories_90d,
        count(*) FILTER (WHERE last_at > $from_365) AS categories_365d,
        count(*) AS categories_ever
    FROM shelves
    GROUP BY person
),
future AS (
    SELECT work.person, min(orders.placed_at) AS enters
    FROM orders
    JOIN profile_work AS work ON work.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at > $as_of
    GROUP BY work.person
)
SELECT
    work.person,
    coalesce(orders_30d, 0) AS orders_30d, coalesce(orders_90d, 0) AS orders_90d,
    coalesce(orders_365d, 0) AS orders_365d, coalesce(orders_ever, 0) AS orders_ever,
    coalesce(spend_30d, 0) AS spend_30d, coalesce(spend_90d, 0) AS spend_90d,
    coalesce(spend_365d, 0) AS spend_365d, coalesce(spend_ever, 0) AS spend_ever,
    coalesce(visit_days_30d, 0) AS visit_days_30d, coalesce(visit_days_90d, 0) AS visit_days_90d,
    coalesce(visit_days_365d, 0) AS visit_days_365d, coalesce(visit_days_ever, 0) AS visit_days_ever,
    coalesce(categories_30d, 0) AS categories_30d, coalesce(categories_90d, 0) AS categories_90d,
    coalesce(categories_365d, 0) AS categories_365d, coalesce(categories_ever, 0) AS categories_ever,
    coalesce(discount_90d, 0) AS discount_90d, coalesce(discount_365d, 0) AS discount_365d,
    margin_365d, margin_ever, costed_365d, costed_ever,  -- null: of no order is a cost known
    first_order_at, last_order_at, first_visit_day, last_visit_day, median_gap_days, home_store,
    least(leaves_30, leaves_90, leaves_365, enters) AS next_edge_at
FROM (SELECT DISTINCT person FROM profile_work) AS work
LEFT JOIN totals ON totals.person = work.person
LEFT JOIN visits ON visits.person = work.person
LEFT JOIN variety ON variety.person = work.person
LEFT JOIN homes ON homes.person = work.person
LEFT JOIN future ON future.person = work.person
