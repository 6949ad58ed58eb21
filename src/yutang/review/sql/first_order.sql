-- The earliest order there is: what lies before it is not known to be nothing.
SELECT min(placed_at) AS first_at FROM orders
