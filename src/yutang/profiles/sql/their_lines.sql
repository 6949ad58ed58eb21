-- The lines of the orders copied aside, and such as were theirs before; the join that follows tells them apart. A person
-- is found far sooner than an order's number, so only where lines name another person are they asked for by that.
CREATE TEMP TABLE their_lines AS
WITH births AS (
    SELECT birth FROM profile_work
    UNION
    SELECT birth FROM profile_more_work WHERE kind IN ('orders', 'lines')
)
SELECT source, order_id, revised_at, sku, category, quantity, amount, discount
FROM order_lines
WHERE person IN (SELECT birth FROM births)
UNION ALL
SELECT l.source, l.order_id, l.revised_at, l.sku, l.category, l.quantity, l.amount, l.discount
FROM order_lines AS l
JOIN their_orders AS o ON o.source = l.source AND o.order_id = l.order_id AND o.lines_at = l.revised_at
WHERE o.strayed AND NOT EXISTS (SELECT 1 FROM births AS b WHERE b.birth = l.person)
