-- What each person did after $as_of and until $until, from a table `worth`: on how many days they bought, and for how much.
WITH days AS (
    SELECT
        coalesce(merged.survivor, worth.person) AS person, day_in_zone(worth.placed_at, $zone) AS day,
        sum(worth.amount) AS amount
    FROM worth
    LEFT JOIN person_overrides AS merged ON merged.birth = worth.person
    WHERE worth.placed_at > $as_of AND worth.placed_at <= $until
    GROUP BY coalesce(merged.survivor, worth.person), day_in_zone(worth.placed_at, $zone)
)
SELECT person, count(*) AS orders, sum(amount) AS amount FROM days WHERE amount > 0 GROUP BY person ORDER BY person
