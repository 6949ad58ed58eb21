-- The orders that changed, as they now stand.
INSERT INTO orders BY NAME SELECT * EXCLUDE (unsettled_at) FROM order_changes
