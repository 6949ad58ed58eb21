-- What categories one person's orders since an instant were of, and what each came to; only at stores that are seen.
SELECT lines.source, lines.order_id, lines.category, sum(lines.amount) AS amount
FROM order_lines AS lines
WHERE lines.person IN (SELECT births.person FROM births)
    AND lines.placed_at > $since AND lines.placed_at <= $now AND lines.category IS NOT NULL AND lines.category <> ''
    AND ($sees_all OR lines.store IN (SELECT seen.node FROM seen))
GROUP BY lines.source, lines.order_id, lines.category
