-- Of what was spent since $from_365: how much has a cost, and what was left of that.
SELECT
    coalesce(sum(net_amount), 0) AS spend, coalesce(sum(costed), 0) AS exact, coalesce(sum(margin), 0) AS margin
FROM orders
WHERE cancelled_at IS NULL AND person IS NOT NULL AND placed_at > $from_365 AND placed_at <= $as_of
