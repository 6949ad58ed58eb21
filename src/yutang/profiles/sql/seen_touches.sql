-- The receipts of touches sent that the profiles now hold.
INSERT INTO profile_touches
SELECT r.touch, r.receipt_key FROM receipts AS r
WHERE r.state = 'sent'
    AND NOT EXISTS (SELECT 1 FROM profile_touches AS p WHERE p.touch = r.touch AND p.receipt_key = r.receipt_key)
