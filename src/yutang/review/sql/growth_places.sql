-- By month and place: who came, who bought, orders, net sales, and what of it was of persons whose first order it was.
-- `places` says for every store, and for no store (-1), in which places it counts; `months` between which instants.
WITH bought AS (
    SELECT
        m.month, coalesce(merged.survivor, o.person) AS person, coalesce(o.store, -1) AS store,
        o.net_amount AS amount, 1 AS orders, 0 AS visits, profiles.first_order_at >= m.start AS fresh
    FROM orders o
    JOIN months m ON o.placed_at >= m.start AND o.placed_at < m.until
    LEFT JOIN person_overrides AS merged ON merged.birth = o.person
    LEFT JOIN profiles ON profiles.person = coalesce(merged.survivor, o.person)
    WHERE o.cancelled_at IS NULL AND o.person IS NOT NULL AND o.placed_at <= $now
),
came AS (
    SELECT
        m.month, coalesce(merged.survivor, e.person) AS person, coalesce(e.store, -1) AS store,
        CAST(0 AS DECIMAL(18, 2)) AS amount, 0 AS orders, 1 AS visits, FALSE AS fresh
    FROM events e
    JOIN months m ON e.occurred_at >= m.start AND e.occurred_at < m.until
    LEFT JOIN person_overrides AS merged ON merged.birth = e.person
    WHERE e.person IS NOT NULL AND list_contains($visits, e.type) AND e.occurred_at <= $now
),
every AS (SELECT * FROM bought UNION ALL SELECT * FROM came)
SELECT
    every.month, places.place,
    count(DISTINCT every.person) AS visitors,
    sum(every.visits) AS visits,
    count(DISTINCT CASE WHEN every.orders = 1 THEN every.person END) AS buyers,
    sum(every.orders) AS orders,
    sum(every.amount) AS sales,
    count(DISTINCT CASE WHEN every.fresh THEN every.person END) AS new_buyers,
    sum(CASE WHEN every.fresh THEN every.amount END) AS new_sales
FROM every
JOIN places ON places.store = every.store
GROUP BY every.month, places.place
