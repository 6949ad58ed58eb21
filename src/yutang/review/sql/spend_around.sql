-- What each person spent from $start to $until and from $before to $start; who spent nothing in both has no row.
SELECT
    coalesce(merged.survivor, o.person) AS person,
    coalesce(CAST(sum(o.net_amount) FILTER (WHERE o.placed_at >= $start) AS DOUBLE), 0.0) AS during,
    coalesce(CAST(sum(o.net_amount) FILTER (WHERE o.placed_at < $start) AS DOUBLE), 0.0) AS before
FROM orders o
LEFT JOIN person_overrides AS merged ON merged.birth = o.person
WHERE o.placed_at >= $before AND o.placed_at < $until AND o.person IS NOT NULL AND o.net_amount IS NOT NULL
GROUP BY 1
