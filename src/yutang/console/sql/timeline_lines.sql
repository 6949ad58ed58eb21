-- The lines of one person's orders in `wanted`, in their order.
SELECT lines.source, lines.order_id, lines.ordinal, lines.sku, lines.category, lines.quantity, lines.amount
FROM order_lines AS lines
JOIN wanted ON wanted.source = lines.source AND wanted.order_id = lines.order_id
WHERE lines.person IN (SELECT births.person FROM births)
ORDER BY lines.source, lines.order_id, lines.ordinal
