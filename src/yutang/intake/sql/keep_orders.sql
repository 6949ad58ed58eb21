-- The orders that changed, as they now stand.
INSERT INTO orders BY NAME SELECT * FROM order_changes
