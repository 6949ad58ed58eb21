-- Net sales by month at the chosen stores ($everywhere: at every store and at none): orders, buyers, amount.
-- `months` holds each month's first day and the instants between which it lies: a zone asked per order is dear.
SELECT
    m.month,
    count(DISTINCT coalesce(merged.survivor, o.person)) AS customers,
    count(*) AS orders,
    sum(o.net_amount) AS sales,
    count(*) FILTER (WHERE o.synthetic) AS synthetic
FROM orders o
JOIN months m ON o.placed_at >= m.start AND o.placed_at < m.until
LEFT JOIN person_overrides AS merged ON merged.birth = o.person
WHERE o.cancelled_at IS NULL AND o.person IS NOT NULL AND o.placed_at <= $now
    AND ($everywhere OR o.store IN (SELECT chosen.node FROM chosen))
GROUP BY m.month
ORDER BY m.month
