-- Who was overdue at the start of the local day $cut, how late, and who bought within 14 days without a word from us.
-- Overdue: at least 12 orders, at least 14 days since the last visit day, more than twice the own median gap.
-- Who was sent a message by us from 14 days before the cut to the end of those 14 days is counted apart.
WITH standing AS (
    SELECT coalesce(merged.survivor, orders.person) AS person, orders.placed_at
    FROM orders
    LEFT JOIN person_overrides AS merged ON merged.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.person IS NOT NULL AND orders.placed_at < $until
),
-- Whom it is worth working out local days for.
candidates AS (
    SELECT person
    FROM standing
    WHERE placed_at < $cut_at
    GROUP BY person
    HAVING count(*) >= 12 AND max(placed_at) < $latest
),
visits AS (
    SELECT standing.person, day_in_zone(standing.placed_at, $zone) AS day, count(*) AS orders
    FROM standing
    JOIN candidates ON candidates.person = standing.person
    GROUP BY 1, 2
),
before AS (
    SELECT person, day, orders, date_diff('day', lag(day) OVER (PARTITION BY person ORDER BY day), day) AS gap
    FROM visits
    WHERE day < $cut
),
rhythm AS (
    SELECT person, sum(orders) AS orders, max(day) AS last_day, median(gap) AS gap
    FROM before
    GROUP BY person
),
late AS (
    SELECT person, date_diff('day', last_day, $cut) AS days
    FROM rhythm
    WHERE orders >= 12 AND date_diff('day', last_day, $cut) >= 14 AND date_diff('day', last_day, $cut) > 2 * gap
),
returned AS (
    SELECT DISTINCT person FROM visits WHERE day >= $cut AND day < $until_day
),
messaged AS (
    SELECT DISTINCT coalesce(merged.survivor, decisions.person) AS person
    FROM decisions
    JOIN receipts ON receipts.touch = decisions.touch
    LEFT JOIN person_overrides AS merged ON merged.birth = decisions.person
    WHERE receipts.state = 'sent' AND receipts."at" >= $quiet_from AND receipts."at" < $until
)
SELECT
    late.person,
    CASE WHEN late.days <= 20 THEN 14 WHEN late.days <= 29 THEN 21 WHEN late.days <= 59 THEN 30 ELSE 60 END AS from_days,
    messaged.person IS NOT NULL AS messaged,
    returned.person IS NOT NULL AS came
FROM late
LEFT JOIN returned ON returned.person = late.person
LEFT JOIN messaged ON messaged.person = late.person
ORDER BY late.person
