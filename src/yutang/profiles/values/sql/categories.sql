-- The categories with most buyers at $as_of, and what was spent on each, in all and since $from_365.
SELECT
    lines.category,
    count(DISTINCT coalesce(merged.survivor, orders.person)) AS buyers,
    sum(lines.amount) AS spend,
    count(DISTINCT CASE WHEN orders.placed_at > $from_365 THEN coalesce(merged.survivor, orders.person) END) AS buyers_365d,
    coalesce(sum(lines.amount) FILTER (WHERE orders.placed_at > $from_365), 0) AS spend_365d,
    coalesce(sum(lines.amount) FILTER (WHERE lines.cost IS NOT NULL), 0) AS costed,
    coalesce(sum(lines.cost), 0) AS cost
FROM order_lines AS lines
JOIN orders ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
LEFT JOIN person_overrides AS merged ON merged.birth = orders.person
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL AND orders.placed_at <= $as_of
    AND lines.category IS NOT NULL
GROUP BY lines.category
ORDER BY buyers DESC, lines.category
