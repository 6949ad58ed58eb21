-- Scores by fixed bounds, those of the type of the home store: 1 and one more for each of four bounds that is reached.
SELECT
    bought.person, bounds.type, bought.spend_365d AS spend,
    1 + CASE WHEN bought.days <= bounds.r2 THEN 1 ELSE 0 END + CASE WHEN bought.days <= bounds.r3 THEN 1 ELSE 0 END
        + CASE WHEN bought.days <= bounds.r4 THEN 1 ELSE 0 END
        + CASE WHEN bought.days <= bounds.r5 THEN 1 ELSE 0 END AS recency,
    1 + CASE WHEN bought.orders_365d >= bounds.f2 THEN 1 ELSE 0 END
        + CASE WHEN bought.orders_365d >= bounds.f3 THEN 1 ELSE 0 END
        + CASE WHEN bought.orders_365d >= bounds.f4 THEN 1 ELSE 0 END
        + CASE WHEN bought.orders_365d >= bounds.f5 THEN 1 ELSE 0 END AS frequency,
    1 + CASE WHEN bought.spend_365d >= bounds.m2 THEN 1 ELSE 0 END
        + CASE WHEN bought.spend_365d >= bounds.m3 THEN 1 ELSE 0 END
        + CASE WHEN bought.spend_365d >= bounds.m4 THEN 1 ELSE 0 END
        + CASE WHEN bought.spend_365d >= bounds.m5 THEN 1 ELSE 0 END AS monetary
FROM (
    SELECT
        profiles.person, profiles.orders_365d, profiles.spend_365d, coalesce(typed.type, '') AS type,
        date_diff('day', profiles.last_visit_day, CAST($today AS DATE)) AS days
    FROM profiles
    LEFT JOIN typed ON typed.store = profiles.home_store
    WHERE profiles.orders_ever > 0
) AS bought
JOIN bounds ON bounds.type = bought.type
