-- What became of each touch that the query beside it calls `told`, by its receipts.
-- A touch's end, if it has one; else it is unknown while one of its calls is unanswered. This hangs on what was
-- told, and neither on when nor in which order: the wall clock may step back.
WITH answered AS (
    SELECT touch, concat('unknown:', substring(receipt_key, 8)) AS receipt_key FROM receipts WHERE state = 'issued'
)
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
