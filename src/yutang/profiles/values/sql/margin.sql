-- What each order that stands brought: the margin of what of it has a cost, and of the rest the margin of its categories
-- ($rate where that is not said), by its lines in `uncosted`. Rounded as in costed.sql.
SELECT
    orders.person, orders.placed_at,
    coalesce(orders.margin, 0) + CAST(
        round(floor((orders.net_amount - coalesce(orders.costed, 0)) * coalesce(mixed.rate, $rate) * 100 + 0.5) / 100, 2)
        AS DECIMAL(18,2)
    ) AS amount
FROM orders
LEFT JOIN (
    SELECT
        lines.source, lines.order_id,
        ratio(sum(lines.amount * coalesce(lines.rate, $rate)), sum(lines.amount)) AS rate
    FROM uncosted AS lines
    GROUP BY lines.source, lines.order_id
) AS mixed ON mixed.source = orders.source AND mixed.order_id = orders.order_id
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL
