-- Who of those whom the viewer sees moved, the latest first.
SELECT moved.person, moved.before, moved.step, moved."at", count(*) OVER () AS total
FROM ladder_moves AS moved
JOIN facts ON facts.person = moved.person
WHERE moved."at" >= $since AND moved.before IS NOT NULL
    AND ($up OR moved.step < moved.before) AND ($down OR moved.step > moved.before)
    AND ($sees_all OR EXISTS (
        SELECT 1 FROM fact_scopes AS scope
        WHERE scope.person = moved.person AND list_contains($seen, scope.node)
    ))
ORDER BY moved."at" DESC, moved.turn DESC, moved.person
LIMIT $limit OFFSET $offset
