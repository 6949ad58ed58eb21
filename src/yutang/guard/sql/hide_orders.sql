-- The orders of persons become nobody's, under hashes instead of their numbers.
UPDATE orders
SET person = NULL, order_id = h.hidden
FROM hidden_orders h
WHERE orders.source = h.source AND orders.order_id = h.order_id AND orders.person IN (SELECT person FROM births)
