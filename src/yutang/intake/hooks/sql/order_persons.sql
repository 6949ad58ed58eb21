-- Of whom these orders are.
SELECT o.order_id, min(o.person) AS person
FROM orders AS o
JOIN wanted AS w ON w.source = o.source AND w.order_id = o.order_id
WHERE o.person IS NOT NULL
GROUP BY o.order_id
