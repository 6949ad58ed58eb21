-- How many orders were placed at the chosen stores in two spans, by the member of staff whom each names (null: nobody).
SELECT
    e.staff,
    count(*) FILTER (WHERE e.occurred_at >= $middle) AS orders,
    count(*) FILTER (WHERE e.occurred_at < $middle) AS orders_before
FROM events e
WHERE e.type = 'order.placed' AND e.occurred_at >= $since AND e.occurred_at < $until
    AND e.store IN (SELECT chosen.node FROM chosen)
GROUP BY e.staff
ORDER BY e.staff
