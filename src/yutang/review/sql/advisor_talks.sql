-- How many of `chosen` bought since $since, and how many of them wrote to us in the seven days before an order; null
-- where nobody's messages are known.
WITH asked AS (
    SELECT chosen.person, events.occurred_at
    FROM events
    JOIN chosen ON chosen.birth = events.person
    WHERE events.type IN ('message.received', 'service.entered') AND events.occurred_at > $since
),
bought AS (
    SELECT chosen.person, orders.placed_at
    FROM orders
    JOIN chosen ON chosen.birth = orders.person
    WHERE orders.cancelled_at IS NULL AND orders.placed_at <= $as_of AND orders.placed_at > $since
)
SELECT
    count(DISTINCT bought.person) AS buyers,
    count(DISTINCT CASE
        WHEN asked.occurred_at <= bought.placed_at AND asked.occurred_at >= bought.placed_at - INTERVAL 7 DAY
            THEN bought.person
    END) AS consulted,
    (SELECT count(*) FROM asked) AS words
FROM bought
LEFT JOIN asked ON asked.person = bought.person
