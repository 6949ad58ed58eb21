-- What each order that stands brought: its net amount.
SELECT orders.person, orders.placed_at, orders.net_amount AS amount
FROM orders
WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL
