-- Every category that was ever bought, the commonest first: what the builder offers.
SELECT category FROM order_lines WHERE category IS NOT NULL GROUP BY category ORDER BY count(*) DESC, category LIMIT 1000
