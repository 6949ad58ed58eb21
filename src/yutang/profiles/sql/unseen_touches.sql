-- Whether any touch was sent that profiles have not seen.
SELECT (SELECT count(*) FROM receipts WHERE state = 'sent') <> (SELECT count(*) FROM profile_touches) AS unseen
