-- The lines of the orders of a person.
SELECT l.source, l.order_id, l.ordinal, l.sku, l.category, l.quantity, l.amount, l.discount
FROM order_lines l
JOIN orders o ON o.source = l.source AND o.order_id = l.order_id
SEMI JOIN births b ON b.person = o.person
ORDER BY l.source, l.order_id, l.ordinal
