-- Which of these orders (by their hidden numbers) stand here as nobody's, because their person was erased.
SELECT DISTINCT o.order_id, o.person
FROM orders AS o
JOIN wanted AS w ON w.source = o.source AND w.order_id = o.order_id
WHERE o.person IS NULL
