-- Everybody in the viewer's scope by whether they bought, whether they are invented, and how they can be reached.
SELECT bought, synthetic, way, count(*) AS persons
FROM reachability
WHERE $sees_all OR person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
