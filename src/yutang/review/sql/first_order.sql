-- The earliest order there is (what lies before it is not known to be nothing), and the earliest that was invented.
SELECT min(placed_at) AS first_at, min(placed_at) FILTER (WHERE synthetic) AS invented_at FROM orders
