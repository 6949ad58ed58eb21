-- What the models know of a person at $as_of, by category, those first on which most was spent since $from_365; last
-- what has no category, so that shares are of everything.
WITH days AS (
    SELECT
        lines.category, day_in_zone(orders.placed_at, $zone) AS day, sum(lines.amount) AS amount,
        coalesce(sum(lines.amount) FILTER (WHERE orders.placed_at > $from_365), 0) AS recent
    FROM orders
    JOIN births ON births.person = orders.person
    JOIN order_lines AS lines ON lines.source = orders.source AND lines.order_id = orders.order_id
        AND lines.revised_at = orders.lines_at
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of
    GROUP BY lines.category, day_in_zone(orders.placed_at, $zone)
)
SELECT
    category, count(*) - 1 AS x, date_diff('day', min(day), max(day)) AS t_x,
    date_diff('day', min(day), $today) AS watched, sum(amount) - arg_min(amount, day) AS repeats,
    sum(recent) AS spend_365d
FROM days
WHERE amount > 0
GROUP BY category
ORDER BY category IS NULL, spend_365d DESC, category
