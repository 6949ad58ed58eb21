-- The standing orders of those touched, read once for all that is computed of them.
CREATE TEMP TABLE their_orders AS
SELECT source, person, store, placed_at, cancelled_at, discount, net_amount, costed, margin
FROM orders
WHERE cancelled_at IS NULL AND person IN (
    SELECT birth FROM profile_work
    UNION
    SELECT birth FROM profile_more_work WHERE kind = 'orders'
)
