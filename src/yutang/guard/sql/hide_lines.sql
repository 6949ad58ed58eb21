-- The lines of the orders that become nobody's.
UPDATE order_lines
SET person = NULL, order_id = h.hidden
FROM hidden_orders h
WHERE order_lines.source = h.source AND order_lines.order_id = h.order_id
