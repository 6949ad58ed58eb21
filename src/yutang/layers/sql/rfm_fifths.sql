-- Fifths within each type of stores; who buys most at a store of no type is of the type ''. Ties by person id.
SELECT
    person, type, spend_365d AS spend,
    (5 * (row_number() OVER (PARTITION BY type ORDER BY last_order_at, person) - 1))
        // count(*) OVER (PARTITION BY type) + 1 AS recency,
    (5 * (row_number() OVER (PARTITION BY type ORDER BY orders_365d, person) - 1))
        // count(*) OVER (PARTITION BY type) + 1 AS frequency,
    (5 * (row_number() OVER (PARTITION BY type ORDER BY spend_365d, person) - 1))
        // count(*) OVER (PARTITION BY type) + 1 AS monetary
FROM (
    SELECT
        profiles.person, profiles.last_order_at, profiles.orders_365d, profiles.spend_365d,
        coalesce(typed.type, '') AS type
    FROM profiles
    LEFT JOIN typed ON typed.store = profiles.home_store
    WHERE profiles.orders_ever > 0
) AS bought
