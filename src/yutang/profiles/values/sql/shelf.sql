-- What each order that stands brought of one category: the amounts of its lines, before refunds.
SELECT orders.person, orders.placed_at, lines.amount
FROM order_lines AS lines
JOIN orders ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL AND lines.category = $category
