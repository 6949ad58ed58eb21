-- What the models know of each person at $as_of, from a table `worth`: how often they came again (x), days from the first
-- time to the last (t_x) and to $today (watched), what the repeat days brought, and all that they brought.
WITH days AS (
    SELECT
        coalesce(merged.survivor, worth.person) AS person, day_in_zone(worth.placed_at, $zone) AS day,
        sum(worth.amount) AS amount, sum(worth.amount) FILTER (WHERE worth.placed_at > $from_365) AS recent
    FROM worth
    LEFT JOIN person_overrides AS merged ON merged.birth = worth.person
    WHERE worth.placed_at <= $as_of
    GROUP BY coalesce(merged.survivor, worth.person), day_in_zone(worth.placed_at, $zone)
),
-- (nullif: ClickHouse says 1970 where there is no day before, unless the column can be null.)
gaps AS (
    SELECT
        person, day, amount,
        date_diff('day', lag(nullif(day, $never)) OVER (PARTITION BY person ORDER BY day), day) AS gap
    FROM days
    WHERE amount > 0
),
habits AS (
    SELECT
        person, count(*) - 1 AS x, date_diff('day', min(day), max(day)) AS t_x,
        date_diff('day', min(day), $today) AS watched, sum(amount) - arg_min(amount, day) AS repeats,
        coalesce(sum(gap * gap), 0) AS squares, max(day) AS last_day
    FROM gaps
    GROUP BY person
),
totals AS (
    SELECT person, sum(amount) AS existing_ever, coalesce(sum(recent), 0) AS existing_365d FROM days GROUP BY person
)
SELECT
    totals.person, totals.existing_ever, totals.existing_365d, habits.x, habits.t_x, habits.watched, habits.repeats,
    habits.squares, habits.last_day
FROM totals
LEFT JOIN habits ON habits.person = totals.person
ORDER BY totals.person
