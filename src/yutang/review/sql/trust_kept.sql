-- Per place: of the friends won, how many stay 1, 7, 30 and 90 days (the product-limit
-- estimate, Kaplan & Meier 1958, JASA 53), and of how many we know. Who was handed on, or is younger, is followed as far as it goes, and counts until then.
WITH followed AS (
    SELECT
        places.place,
        CASE WHEN c.lost_at IS NOT NULL AND NOT c.handed_on AND c.lost_at <= $now THEN 1 ELSE 0 END AS lost,
        date_diff('second', c.added_at, least(coalesce(c.lost_at, $now), $now)) / 86400 AS days
    FROM cohort AS c
    JOIN places ON places.staff = c.staff
),
ranked AS (
    SELECT place, lost, days, row_number() OVER (PARTITION BY place ORDER BY days DESC, lost) AS at_risk
    FROM followed
),
parts AS (
    SELECT place, lost, days, CASE WHEN lost = 0 THEN 1 ELSE 1 - ratio(1, at_risk) END AS stays FROM ranked
),
logs AS (SELECT place, lost, days, CASE WHEN stays > 0 THEN ln(stays) ELSE -1000 END AS stays FROM parts)
SELECT
    place, count(*) AS friends, sum(lost) AS lost,
    exp(sum(CASE WHEN days <= 1 THEN stays ELSE 0 END)) AS kept_1,
    exp(sum(CASE WHEN days <= 7 THEN stays ELSE 0 END)) AS kept_7,
    exp(sum(CASE WHEN days <= 30 THEN stays ELSE 0 END)) AS kept_30,
    exp(sum(CASE WHEN days <= 90 THEN stays ELSE 0 END)) AS kept_90,
    sum(CASE WHEN days >= 1 OR lost = 1 THEN 1 ELSE 0 END) AS known_1,
    sum(CASE WHEN days >= 7 OR lost = 1 THEN 1 ELSE 0 END) AS known_7,
    sum(CASE WHEN days >= 30 OR lost = 1 THEN 1 ELSE 0 END) AS known_30,
    sum(CASE WHEN days >= 90 OR lost = 1 THEN 1 ELSE 0 END) AS known_90
FROM logs
GROUP BY place
ORDER BY place
