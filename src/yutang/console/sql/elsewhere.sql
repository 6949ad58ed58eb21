-- One person's orders at stores that the viewer does not see, as totals only.
SELECT count(*) AS orders, coalesce(sum(orders.net_amount), 0) AS spend
FROM orders
WHERE orders.person IN (SELECT births.person FROM births) AND orders.cancelled_at IS NULL AND orders.placed_at <= $as_of
    AND NOT $sees_all AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.node = orders.store)
