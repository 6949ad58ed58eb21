-- The lines that fresh events carry. Lines of an earlier revision stay, and count for nothing; nor do those of an order
-- that was cancelled.
INSERT INTO order_lines BY NAME
WITH carriers AS MATERIALIZED (  -- the join by text is done per order, the one per line by number
    SELECT
        f.row, f.source, f.order_id, o.arrival, o.person, o.store, o.placed_at, f.occurred_at AS revised_at,
        o.cancelled_at IS NOT NULL OR o.lines_at > f.occurred_at AS void
    FROM fresh AS f
    JOIN order_changes AS o ON o.source = f.source AND o.order_id = f.order_id
    WHERE f.has_lines
)
SELECT
    c.source, c.order_id, l.ordinal, c.person, c.store, c.placed_at, c.revised_at,
    l.sku, l.category, l.quantity, l.amount, l.discount, l.cost, c.arrival, c.void
FROM incoming_lines AS l
JOIN carriers AS c ON c.row = l.row
