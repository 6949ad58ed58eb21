-- What each order that stands brought: the margin of what of it has a cost, and $rate of the rest. (Half a cent goes up
-- by floor: by itself, round sends it up on DuckDB and to the even cent on ClickHouse.)
SELECT
    orders.person, orders.placed_at,
    coalesce(orders.margin, 0) + CAST(
        round(floor((orders.net_amount - coalesce(orders.costed, 0)) * $rate * 100 + 0.5) / 100, 2) AS DECIMAL(18,2)
    ) AS amount
FROM orders
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL
