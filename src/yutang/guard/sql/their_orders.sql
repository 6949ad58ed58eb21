-- The orders of persons by number, to be made nobody's.
SELECT DISTINCT source, order_id FROM orders o SEMI JOIN births b ON b.person = o.person ORDER BY source, order_id
