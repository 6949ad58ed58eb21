-- What each person spent in a campaign's window and in the window before it; who spent nothing in both has no row.
SELECT
    w.campaign,
    coalesce(merged.survivor, o.person) AS person,
    coalesce(CAST(sum(o.net_amount) FILTER (WHERE o.placed_at >= w.start) AS DOUBLE), 0.0) AS during,
    coalesce(CAST(sum(o.net_amount) FILTER (WHERE o.placed_at < w.start) AS DOUBLE), 0.0) AS before
FROM orders o
JOIN windows w ON o.placed_at >= w.before AND o.placed_at < w.until
LEFT JOIN person_overrides AS merged ON merged.birth = o.person
WHERE o.person IS NOT NULL AND o.net_amount IS NOT NULL
GROUP BY 1, 2
