-- Persons by store type and their three scores, of those whom the viewer sees. `scored` and `reachable` are put beside.
SELECT
    scored.type, scored.recency, scored.frequency, scored.monetary,
    count(*) AS persons, count(reachable.person) AS reachable, sum(scored.spend) AS spend
FROM scored
LEFT JOIN reachable ON reachable.person = scored.person
WHERE $sees_all OR EXISTS (
    SELECT 1 FROM fact_scopes AS scope WHERE scope.person = scored.person AND list_contains($seen, scope.node)
)
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
