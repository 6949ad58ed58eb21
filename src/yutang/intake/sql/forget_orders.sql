-- Make room for the orders that changed.
DELETE FROM orders WHERE arrival IN (SELECT arrival FROM order_changes)
