-- How many persons whom the viewer sees went from one step to another, by local day, since an instant.
SELECT day_in_zone(moved."at", $zone) AS day, moved.before, moved.step, count(*) AS persons
FROM ladder_moves AS moved
WHERE moved."at" >= $since AND moved.before IS NOT NULL
    AND ($sees_all OR EXISTS (
        SELECT 1 FROM fact_scopes AS scope
        WHERE scope.person = moved.person AND list_contains($seen, scope.node)
    ))
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
