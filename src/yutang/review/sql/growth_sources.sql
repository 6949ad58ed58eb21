-- By month and by the source by which a person first became a friend ('': never): buyers, orders, net sales of some stores.
WITH first_source AS (
    SELECT coalesce(merged.survivor, e.person) AS person, arg_min(coalesce(e.source, ''), e.occurred_at) AS source
    FROM events e
    LEFT JOIN person_overrides AS merged ON merged.birth = e.person
    WHERE e.type = 'relation.added' AND e.person IS NOT NULL
    GROUP BY 1
)
SELECT
    m.month, coalesce(first_source.source, '') AS source,
    count(DISTINCT coalesce(merged.survivor, o.person)) AS buyers,
    count(*) AS orders,
    sum(o.net_amount) AS sales,
    count(DISTINCT CASE WHEN profiles.first_order_at >= m.start THEN profiles.person END) AS new_buyers,
    sum(CASE WHEN profiles.first_order_at >= m.start THEN o.net_amount END) AS new_sales
FROM orders o
JOIN months m ON o.placed_at >= m.start AND o.placed_at < m.until
LEFT JOIN person_overrides AS merged ON merged.birth = o.person
LEFT JOIN profiles ON profiles.person = coalesce(merged.survivor, o.person)
LEFT JOIN first_source ON first_source.person = coalesce(merged.survivor, o.person)
WHERE o.cancelled_at IS NULL AND o.person IS NOT NULL AND o.placed_at <= $now
    AND ($everywhere OR o.store IN (SELECT chosen.node FROM chosen))
GROUP BY 1, 2
