-- Of what was spent since $from_365 and has no cost: how much is of categories whose margin is told, and what is left of
-- that; each order's part of it by what its lines without a cost (`uncosted`) charge.
SELECT
    coalesce(sum((orders.net_amount - coalesce(orders.costed, 0)) * mixed.named), 0) AS by_category,
    coalesce(sum((orders.net_amount - coalesce(orders.costed, 0)) * mixed.earned), 0) AS earned
FROM orders
JOIN (
    SELECT
        lines.source, lines.order_id,
        ratio(sum(CASE WHEN lines.rate IS NOT NULL THEN lines.amount ELSE 0 END), sum(lines.amount)) AS named,
        ratio(sum(CASE WHEN lines.rate IS NOT NULL THEN lines.amount * lines.rate ELSE 0 END), sum(lines.amount)) AS earned
    FROM uncosted AS lines
    GROUP BY lines.source, lines.order_id
) AS mixed ON mixed.source = orders.source AND mixed.order_id = orders.order_id
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL
    AND orders.placed_at > $from_365 AND orders.placed_at <= $as_of
