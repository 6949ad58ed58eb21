-- Per store: orders placed there in [$since, $until), and what they came to net.
SELECT store, count(*) AS orders, sum(net_amount) AS sales
FROM orders
WHERE placed_at >= $since AND placed_at < $until AND cancelled_at IS NULL AND store IS NOT NULL
GROUP BY store
ORDER BY store
