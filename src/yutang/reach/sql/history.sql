-- The spend of an audience in a window before launch and in the half year before that window: the pilot for power.
SELECT
    a.person,
    coalesce(CAST(sum(s.net_amount) FILTER (WHERE s.placed_at > $window_start) AS DOUBLE), 0.0) AS outcome,
    coalesce(CAST(sum(s.net_amount) FILTER (WHERE s.placed_at <= $window_start) AS DOUBLE), 0.0) AS before
FROM audience a
LEFT JOIN (
    SELECT coalesce(o.survivor, s.person) AS person, s.placed_at, s.net_amount
    FROM orders s
    LEFT JOIN person_overrides o ON o.birth = s.person
    WHERE s.placed_at > $window_start - INTERVAL 183 DAY AND s.placed_at <= $until
) s ON s.person = a.person
GROUP BY a.person
ORDER BY a.person
