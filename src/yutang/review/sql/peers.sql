-- How many orders each store had since $recent, and since $since (by which its size is told), up to $until.
SELECT
    o.store,
    count(*) FILTER (WHERE o.placed_at >= $recent) AS orders,
    count(*) AS size
FROM orders o
WHERE o.placed_at >= $since AND o.placed_at < $until AND o.cancelled_at IS NULL AND o.net_amount > 0
    AND o.store IS NOT NULL
GROUP BY o.store
ORDER BY o.store
