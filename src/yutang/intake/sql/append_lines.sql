-- The lines that fresh events carry. Lines of an earlier revision stay; those with revised_at = orders.lines_at count.
INSERT INTO order_lines BY NAME
SELECT
    f.source, f.order_id, l.ordinal, o.person, o.store, o.placed_at, f.occurred_at AS revised_at,
    l.sku, l.category, l.quantity, l.amount, l.discount
FROM incoming_lines AS l
JOIN fresh AS f ON f.row = l.row
JOIN order_changes AS o ON o.source = f.source AND o.order_id = f.order_id
