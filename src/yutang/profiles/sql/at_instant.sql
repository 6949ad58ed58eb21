-- Profiles told of an earlier instant, each with the scores that belong to it.
SELECT told.*, scored.recency AS recency_score, scored.frequency AS frequency_score, scored.monetary AS monetary_score
FROM told
LEFT JOIN scored ON scored.person = told.person
