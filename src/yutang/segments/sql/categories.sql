-- Every category that was ever bought, the commonest first.
SELECT category FROM order_lines WHERE category IS NOT NULL GROUP BY category ORDER BY count(*) DESC, category
