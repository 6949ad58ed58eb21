-- Make room for the orders that changed.
DELETE FROM orders
WHERE EXISTS (SELECT 1 FROM order_changes AS c WHERE c.source = orders.source AND c.order_id = orders.order_id)
