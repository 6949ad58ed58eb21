-- Everyone whom the viewer may see and who ever bought.
SELECT p.person
FROM profiles p
WHERE p.orders_ever > 0 AND ($sees_all OR p.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
))
ORDER BY p.person
