-- Whether an order's lines may name another person than it does: lines keep whose the order was before. Then they are
-- found by its number, and by the person otherwise (`profiles/their_lines.sql`).
ALTER TABLE orders ADD COLUMN strayed BOOLEAN;
UPDATE orders SET strayed = TRUE
FROM (
    SELECT DISTINCT o.source, o.order_id FROM orders AS o
    JOIN order_lines AS l ON l.source = o.source AND l.order_id = o.order_id
    WHERE l.person IS DISTINCT FROM o.person
) AS parted
WHERE parted.source = orders.source AND parted.order_id = orders.order_id;
