-- Everything the gate ever said of one person, newest first.
WITH told AS (
    SELECT d.touch, d.plan, d.occasion, d.attempt, d.outcome, d.reason, d.decided_at, d.due_at
    FROM decisions d
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE coalesce(o.survivor, d.person) = $person
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
answered AS (
    SELECT touch, concat('unknown:', substring(receipt_key, 8)) AS receipt_key FROM receipts WHERE state = 'issued'
),
latest AS (
    -- A touch's end, if it has one; else it is unknown while one of its calls is unanswered. This hangs on what was
    -- told, and neither on when nor in which order: the wall clock may step back.
    SELECT touch, arg_max(state, place) AS state, arg_max(reason, place) AS reason, arg_max("at", place) AS "at"
    FROM (
        SELECT
            r.touch, r.state, r.reason, r."at",
            CASE r.state WHEN 'sent' THEN 5 WHEN 'failed' THEN 4 WHEN 'suppressed' THEN 3 WHEN 'expired' THEN 2 ELSE 1 END
                AS place
        FROM receipts r
        SEMI JOIN told t ON t.touch = r.touch
        LEFT JOIN answered a ON a.touch = r.touch AND a.receipt_key = r.receipt_key
        WHERE r.state <> 'issued' AND a.touch IS NULL
    ) r
    GROUP BY touch
)
SELECT d.plan, d.occasion, d.attempt, d.outcome, d.reason, l.state, l.reason AS state_reason, d.decided_at, d.due_at,
       l."at" AS state_at
FROM told d
LEFT JOIN latest l ON l.touch = d.touch
ORDER BY d.decided_at DESC, d.attempt DESC, d.touch
LIMIT $limit
