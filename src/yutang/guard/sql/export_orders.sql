-- The orders of a person, the oldest first.
SELECT
    o.source, o.order_id, o.store, o.placed_at, o.net_amount, o.refunded_amount, o.cancelled_at, o.discount, o.currency,
    o.synthetic
FROM orders o
SEMI JOIN births b ON b.person = o.person
ORDER BY o.placed_at, o.source, o.order_id
