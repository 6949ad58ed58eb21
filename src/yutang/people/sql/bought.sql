-- What each birth person bought: each thing once.
SELECT lines.person, lines.sku
FROM order_lines AS lines
WHERE lines.person <> 0 AND lines.sku <> ''
GROUP BY lines.person, lines.sku
