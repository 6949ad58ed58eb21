-- RFM: five equal parts of all who ever bought, worst first, ties by person id. Only rows whose score moved are written.
-- Where a fifth begins is sought only among those alike in the coarse (one day, one count, one unit of money): to sort
-- everybody three times over costs several times as much.
UPDATE profiles SET
    recency_score = scored.recency, frequency_score = scored.frequency, monetary_score = scored.monetary
FROM (
    WITH buyers AS (
        SELECT
            person, date_diff('microsecond', TIMESTAMP '1970-01-01 00:00:00', last_order_at) AS recency,
            CAST(orders_365d AS BIGINT) AS frequency, CAST(spend_365d * 100 AS BIGINT) AS monetary,
            recency_score, frequency_score, monetary_score
        FROM profiles
        WHERE orders_ever > 0
    ),
    measured AS (
        SELECT 1 AS measure, recency // 86400000000 AS coarse, recency AS value, person FROM buyers
        UNION ALL
        SELECT 2 AS measure, frequency AS coarse, frequency AS value, person FROM buyers
        UNION ALL
        SELECT 3 AS measure, monetary // 100 AS coarse, monetary AS value, person FROM buyers
    ),
    counted AS (SELECT measure, coarse, count(*) AS here FROM measured GROUP BY measure, coarse),
    alike AS (
        SELECT
            measure, coarse, here, sum(here) OVER (PARTITION BY measure) AS everybody,
            sum(here) OVER (PARTITION BY measure ORDER BY coarse) AS reached
        FROM counted
    ),
    -- A person's score is 5 * (place - 1) // everybody + 1.
    parted AS (
        SELECT measure, coarse, everybody, reached - here AS before
        FROM alike
        WHERE (5 * (reached - 1)) // everybody > (5 * greatest(reached - here - 1, 0)) // everybody
    ),
    placed AS (
        SELECT
            measured.measure, measured.value, measured.person, parted.everybody,
            parted.before + row_number() OVER (
                PARTITION BY parted.measure, parted.coarse ORDER BY measured.value, measured.person
            ) AS place
        FROM measured
        JOIN parted ON parted.measure = measured.measure AND parted.coarse = measured.coarse
    ),
    firsts AS (
        SELECT measure, value, person, (5 * (place - 1)) // everybody + 1 AS score
        FROM placed
        WHERE place > 1 AND (5 * (place - 1)) // everybody > (5 * (place - 2)) // everybody
    ),
    edges AS (
        SELECT
        max(CASE WHEN measure = 1 AND score = 2 THEN value END) AS recency_2, max(CASE WHEN measure = 1 AND score = 2 THEN person END) AS recency_2_person,
        max(CASE WHEN measure = 1 AND score = 3 THEN value END) AS recency_3, max(CASE WHEN measure = 1 AND score = 3 THEN person END) AS recency_3_person,
        max(CASE WHEN measure = 1 AND score = 4 THEN value END) AS recency_4, max(CASE WHEN measure = 1 AND score = 4 THEN person END) AS recency_4_person,
        max(CASE WHEN measure = 1 AND score = 5 THEN value END) AS recency_5, max(CASE WHEN measure = 1 AND score = 5 THEN person END) AS recency_5_person,
        max(CASE WHEN measure = 2 AND score = 2 THEN value END) AS frequency_2, max(CASE WHEN measure = 2 AND score = 2 THEN person END) AS frequency_2_person,
        max(CASE WHEN measure = 2 AND score = 3 THEN value END) AS frequency_3, max(CASE WHEN measure = 2 AND score = 3 THEN person END) AS frequency_3_person,
        max(CASE WHEN measure = 2 AND score = 4 THEN value END) AS frequency_4, max(CASE WHEN measure = 2 AND score = 4 THEN person END) AS frequency_4_person,
        max(CASE WHEN measure = 2 AND score = 5 THEN value END) AS frequency_5, max(CASE WHEN measure = 2 AND score = 5 THEN person END) AS frequency_5_person,
        max(CASE WHEN measure = 3 AND score = 2 THEN value END) AS monetary_2, max(CASE WHEN measure = 3 AND score = 2 THEN person END) AS monetary_2_person,
        max(CASE WHEN measure = 3 AND score = 3 THEN value END) AS monetary_3, max(CASE WHEN measure = 3 AND score = 3 THEN person END) AS monetary_3_person,
        max(CASE WHEN measure = 3 AND score = 4 THEN value END) AS monetary_4, max(CASE WHEN measure = 3 AND score = 4 THEN person END) AS monetary_4_person,
        max(CASE WHEN measure = 3 AND score = 5 THEN value END) AS monetary_5, max(CASE WHEN measure = 3 AND score = 5 THEN person END) AS monetary_5_person
        FROM firsts
    ),
    now AS (
        SELECT buyers.*,
        CASE
            WHEN recency > recency_5 OR (recency = recency_5 AND person >= recency_5_person) THEN 5
            WHEN recency > recency_4 OR (recency = recency_4 AND person >= recency_4_person) THEN 4
            WHEN recency > recency_3 OR (recency = recency_3 AND person >= recency_3_person) THEN 3
            WHEN recency > recency_2 OR (recency = recency_2 AND person >= recency_2_person) THEN 2
            ELSE 1
        END AS recency_now,
        CASE
            WHEN frequency > frequency_5 OR (frequency = frequency_5 AND person >= frequency_5_person) THEN 5
            WHEN frequency > frequency_4 OR (frequency = frequency_4 AND person >= frequency_4_person) THEN 4
            WHEN frequency > frequency_3 OR (frequency = frequency_3 AND person >= frequency_3_person) THEN 3
            WHEN frequency > frequency_2 OR (frequency = frequency_2 AND person >= frequency_2_person) THEN 2
            ELSE 1
        END AS frequency_now,
        CASE
            WHEN monetary > monetary_5 OR (monetary = monetary_5 AND person >= monetary_5_person) THEN 5
            WHEN monetary > monetary_4 OR (monetary = monetary_4 AND person >= monetary_4_person) THEN 4
            WHEN monetary > monetary_3 OR (monetary = monetary_3 AND person >= monetary_3_person) THEN 3
            WHEN monetary > monetary_2 OR (monetary = monetary_2 AND person >= monetary_2_person) THEN 2
            ELSE 1
        END AS monetary_now
        FROM buyers
        CROSS JOIN edges
    )
    SELECT person, recency_now AS recency, frequency_now AS frequency, monetary_now AS monetary
    FROM now
    WHERE recency_now IS DISTINCT FROM recency_score OR frequency_now IS DISTINCT FROM frequency_score
        OR monetary_now IS DISTINCT FROM monetary_score
) AS scored
WHERE scored.person = profiles.person
