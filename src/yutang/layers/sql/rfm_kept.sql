-- The scores as profiles keep them: fifths of all who ever bought.
SELECT
    person, '' AS type, recency_score AS recency, frequency_score AS frequency, monetary_score AS monetary,
    spend_365d AS spend
FROM profiles
WHERE orders_ever > 0
