-- Append receipts that are not there yet. The key says which fact a receipt tells, so telling it twice changes nothing;
-- and a touch has one end: when two processes tell of one at once, the first counts; of two ends told together (two
-- guides, or two ids of one person) that it was sent, since then it was.
INSERT INTO receipts
SELECT n.touch, n.state, n.reason, n.at, n.recorded_at, n.batch, n.sender, n.receipt_key
FROM new_receipts n
WHERE NOT EXISTS (SELECT 1 FROM receipts r WHERE r.touch = n.touch AND r.receipt_key = n.receipt_key)
  AND NOT EXISTS (
      SELECT 1 FROM receipts r
      WHERE r.touch = n.touch AND r.state IN ('sent', 'failed', 'expired', 'suppressed')
  )
QUALIFY n.state IN ('issued', 'unknown') OR row_number() OVER (
    PARTITION BY n.touch, n.state IN ('issued', 'unknown') ORDER BY n.state <> 'sent', n."at"
) = 1
