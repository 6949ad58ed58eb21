-- The lines without a cost of orders as they stand now, and the margin of their category where that is told (`rates`).
SELECT lines.source, lines.order_id, lines.amount, rates.rate
FROM order_lines AS lines
JOIN orders AS whole ON whole.source = lines.source AND whole.order_id = lines.order_id
    AND whole.lines_at = lines.revised_at
LEFT JOIN rates ON rates.category = lines.category
WHERE lines.cost IS NULL
