-- Net sales by local month at the chosen stores ($everywhere: at every store and at none): orders, buyers, amount.
SELECT
    CAST(date_trunc('month', day_in_zone(o.placed_at, $zone)) AS DATE) AS month,
    count(DISTINCT coalesce(merged.survivor, o.person)) AS customers,
    count(*) AS orders,
    sum(o.net_amount) AS sales,
    count(*) FILTER (WHERE o.synthetic) AS synthetic
FROM orders o
LEFT JOIN person_overrides AS merged ON merged.birth = o.person
WHERE o.cancelled_at IS NULL AND o.person IS NOT NULL AND o.placed_at <= $until
    AND ($everywhere OR o.store IN (SELECT chosen.node FROM chosen))
GROUP BY 1
ORDER BY 1
