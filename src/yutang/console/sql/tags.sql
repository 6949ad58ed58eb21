-- Every tag that anybody bears, the commonest first: what the builder offers.
SELECT tag FROM fact_tags GROUP BY tag ORDER BY count(*) DESC, tag LIMIT 500
