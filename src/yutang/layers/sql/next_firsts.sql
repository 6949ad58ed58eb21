-- When each of `chosen` (birth, person) first bought of each category, at the latest at $as_of. $everywhere: wherever it
-- was; else at the stores of $seen only.
SELECT chosen.person, lines.category, min(orders.placed_at) AS first_at
FROM order_lines AS lines
JOIN orders
    ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
JOIN chosen ON chosen.birth = orders.person
WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND lines.category IS NOT NULL
    AND ($everywhere OR list_contains($seen, orders.store))
GROUP BY chosen.person, lines.category
