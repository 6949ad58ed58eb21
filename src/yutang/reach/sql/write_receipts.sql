-- Append receipts that are not there yet; the key says which fact a receipt tells, so telling it twice changes nothing.
INSERT INTO receipts
SELECT n.touch, n.state, n.reason, n.at, n.recorded_at, n.batch, n.sender, n.receipt_key
FROM new_receipts n
WHERE NOT EXISTS (SELECT 1 FROM receipts r WHERE r.touch = n.touch AND r.receipt_key = n.receipt_key)
