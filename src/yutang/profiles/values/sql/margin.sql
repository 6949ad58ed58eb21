-- What each order that stands brought: its net amount times the margin of what was in it ($rate where that is not said).
SELECT
    orders.person, orders.placed_at,
    CAST(round(orders.net_amount * coalesce(mixed.rate, $rate), 2) AS DECIMAL(18,2)) AS amount
FROM orders
LEFT JOIN (
    SELECT
        lines.source, lines.order_id,
        ratio(sum(lines.amount * coalesce(rates.rate, $rate)), sum(lines.amount)) AS rate
    FROM order_lines AS lines
    JOIN orders AS whole ON whole.source = lines.source AND whole.order_id = lines.order_id
        AND whole.lines_at = lines.revised_at
    LEFT JOIN rates ON rates.category = lines.category
    GROUP BY lines.source, lines.order_id
) AS mixed ON mixed.source = orders.source AND mixed.order_id = orders.order_id
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL
