-- Orders are numbered as they arrive, and their lines bear that number: sought by it, a row is found among the last ones
-- or by a number, where its source and number on paper are texts that are read of every row.
-- A line is void, and counts for nothing, once its order was cancelled or its lines were told anew. Others say of their
-- order what that says of itself (whose, at which store, when), and intake keeps it so (`intake/sql/settle_lines.sql`):
-- whoever adds up lines asks nothing of orders.
ALTER TABLE orders ADD COLUMN arrival BIGINT;
ALTER TABLE order_lines ADD COLUMN arrival BIGINT;
ALTER TABLE order_lines ADD COLUMN void BOOLEAN;
UPDATE orders SET arrival = numbered.arrival
FROM (
    SELECT source, order_id, row_number() OVER (ORDER BY placed_at, source, order_id) AS arrival FROM orders
) AS numbered
WHERE numbered.source = orders.source AND numbered.order_id = orders.order_id;
UPDATE order_lines SET
    arrival = o.arrival, person = o.person, store = o.store, placed_at = o.placed_at,
    void = o.cancelled_at IS NOT NULL OR order_lines.revised_at IS DISTINCT FROM o.lines_at
FROM orders AS o
WHERE o.source = order_lines.source AND o.order_id = order_lines.order_id;
