-- Every touch that was sent: by its receipt in the ledger, or told by a guide who sent it beside a chat.
SELECT
    min(decisions.person) AS person, min(receipts."at") AS "at", min(decisions.channel) AS channel,
    min(decisions.touch_class) AS touch_class, min(decisions.plan) AS plan
FROM decisions
JOIN receipts ON receipts.touch = decisions.touch AND receipts.state = 'sent'
GROUP BY decisions.touch
UNION ALL
SELECT person, occurred_at, channel, json_extract_string(props, '$.class'), plan
FROM events
WHERE type = 'message.sent' AND source = 'sidebar'
