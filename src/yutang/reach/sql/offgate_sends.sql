-- Every send among what staff sent on their own (`said`), once for each of `windows` in which it still reached anybody:
-- whom it reached there, each once, and of them those held out, and over a cap.
SELECT
    w.days, e.staff, e.send, e.kind, max(e.content) AS content, max(e.last_at) AS last_at,
    count(*) AS reached,
    count(*) FILTER (WHERE e.held_at > w.since) AS held_out,
    count(*) FILTER (WHERE e.over_at > w.since) AS over_cap
FROM (
    SELECT
        staff, send, kind, person, max(content) AS content, max(occurred_at) AS last_at,
        max(CASE WHEN held THEN occurred_at END) AS held_at, max(CASE WHEN beyond THEN occurred_at END) AS over_at
    FROM said
    GROUP BY staff, send, kind, person
) e
JOIN windows w ON e.last_at > w.since
GROUP BY w.days, e.staff, e.send, e.kind
ORDER BY e.staff, e.send, e.kind, w.days
