-- What each sender already has to do in each window, had everybody been sent to: recipients, and tasks of the platform.
-- The held out share the fate of their batch: one that was closed untapped frees its place, theirs too. Where everybody
-- of a batch to be was held out there is none, and they count. What staff are asked person by person has no batches: of
-- one run (`daily`) it is one task, whatever the hours of each person.
WITH held AS (
    SELECT d.run, d.sender, d.due_at, d.deadline, count(*) AS people
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    WHERE d.outcome IN ('held_out', 'globally_held_out') AND d.deadline > $begin AND d.due_at < $end
      AND d.run NOT IN (SELECT run FROM daily)
    GROUP BY d.run, d.sender, d.due_at, d.deadline
),
asked AS (
    SELECT run, sender, due_at, deadline, coalesce(sum(size) FILTER (WHERE stands), 0) AS people
    FROM batches
    GROUP BY run, sender, due_at, deadline
),
single AS (
    SELECT d.sender, min(d.due_at) AS due_at, max(d.deadline) AS deadline, count(*) AS people
    FROM decisions d
    SEMI JOIN daily c ON c.run = d.run
    WHERE d.outcome <> 'suppressed' AND d.deadline > $begin AND d.due_at < $end
    GROUP BY d.run, d.sender
),
work AS (
    SELECT
        coalesce(a.sender, h.sender) AS sender, coalesce(a.due_at, h.due_at) AS due_at,
        coalesce(a.deadline, h.deadline) AS deadline, coalesce(a.people, 0) + coalesce(h.people, 0) AS people
    FROM asked a
    FULL JOIN held h ON h.run = a.run AND h.sender = a.sender AND h.due_at = a.due_at AND h.deadline = a.deadline
    WHERE a.run IS NULL OR a.people > 0
    UNION ALL
    SELECT sender, due_at, deadline, people FROM single
)
SELECT
    w."window", k.sender,
    CAST(sum(k.people) AS BIGINT) AS people,
    CAST(sum((k.people + $limit - 1) // $limit) AS BIGINT) AS tasks
FROM windows w
JOIN work k ON k.deadline > w."begin" AND k.due_at < w."end"
GROUP BY w."window", k.sender
ORDER BY w."window", k.sender
