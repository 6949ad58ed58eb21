-- One person's orders as they stand now, newest first; only those of stores that the viewer sees.
SELECT
    orders.source, orders.order_id, orders.placed_at AS at, orders.store, orders.net_amount, orders.discount,
    orders.refunded_amount, orders.cancelled_at IS NOT NULL AS cancelled, coalesce(orders.synthetic, FALSE) AS synthetic
FROM orders
WHERE orders.person IN (SELECT births.person FROM births) AND orders.placed_at <= $as_of AND orders.placed_at < $before
    AND ($sees_all OR orders.store IN (SELECT seen.node FROM seen))
ORDER BY orders.placed_at DESC, orders.order_id DESC
LIMIT $limit
