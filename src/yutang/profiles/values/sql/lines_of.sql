-- The lines of the orders of a person.
SELECT lines.* FROM order_lines AS lines
JOIN orders ON orders.source = lines.source AND orders.order_id = lines.order_id AND orders.lines_at = lines.revised_at
JOIN births ON births.person = orders.person
