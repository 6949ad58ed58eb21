-- Everyone whom the viewer may see and who ever bought; people whom a demo invented are no evidence of anything.
SELECT p.person
FROM profiles p
LEFT JOIN facts f ON f.person = p.person
WHERE p.orders_ever > 0 AND NOT coalesce(f.synthetic, FALSE) AND ($sees_all OR p.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
))
ORDER BY p.person
