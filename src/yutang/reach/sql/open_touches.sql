-- Which of these touches have no final receipt yet.
SELECT w.touch
FROM wanted w
WHERE NOT EXISTS (
    SELECT 1 FROM receipts r
    WHERE r.touch = w.touch AND r.state IN ('sent', 'failed', 'expired', 'suppressed')
)
ORDER BY w.touch
