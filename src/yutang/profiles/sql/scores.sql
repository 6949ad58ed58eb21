-- RFM: five equal parts of all who ever bought, worst first, ties by person id. Only rows whose score moved are written.
UPDATE profiles SET
    recency_score = scored.recency, frequency_score = scored.frequency, monetary_score = scored.monetary
FROM (
    SELECT
        person,
        (5 * (row_number() OVER (ORDER BY last_order_at, person) - 1)) // count(*) OVER () + 1 AS recency,
        (5 * (row_number() OVER (ORDER BY orders_365d, person) - 1)) // count(*) OVER () + 1 AS frequency,
        (5 * (row_number() OVER (ORDER BY spend_365d, person) - 1)) // count(*) OVER () + 1 AS monetary
    FROM profiles
    WHERE orders_ever > 0
) AS scored
WHERE scored.person = profiles.person
    AND (
        profiles.recency_score IS DISTINCT FROM scored.recency
        OR profiles.frequency_score IS DISTINCT FROM scored.frequency
        OR profiles.monetary_score IS DISTINCT FROM scored.monetary
    )
