-- Lines of a correction that arrived before its order learn whose the order is, and when it was placed.
UPDATE order_lines SET person = o.person, store = o.store, placed_at = o.placed_at
FROM order_changes AS o
WHERE order_lines.placed_at IS NULL AND o.placed_at IS NOT NULL
    AND o.source = order_lines.source AND o.order_id = order_lines.order_id
