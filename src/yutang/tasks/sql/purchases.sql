-- One person's orders since an instant, newest first, wherever they were placed: those that came to something.
SELECT
    orders.source, orders.order_id, orders.placed_at AS "at", orders.store, orders.net_amount AS amount,
    $sees_all OR orders.store IN (SELECT seen.node FROM seen) AS shown
FROM orders
WHERE orders.person IN (SELECT births.person FROM births)
    AND orders.placed_at > $since AND orders.placed_at <= $now
    AND orders.cancelled_at IS NULL AND orders.net_amount > 0
ORDER BY orders.placed_at DESC, orders.order_id DESC
LIMIT $limit
