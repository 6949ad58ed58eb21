-- Whose touches were sent, as receipts tell that profiles have not seen.
INSERT INTO profile_more_touched
SELECT DISTINCT 'touches', coalesce(o.survivor, d.person)
FROM receipts AS r
JOIN decisions AS d ON d.touch = r.touch
LEFT JOIN person_overrides AS o ON o.birth = d.person
WHERE r.state = 'sent'
    AND NOT EXISTS (SELECT 1 FROM profile_touches AS p WHERE p.touch = r.touch AND p.receipt_key = r.receipt_key)
