-- Per account: live friends, when somebody was last added or talked to, and recipients of today and of 30 days.
WITH friends AS (
    SELECT sender, sum(CASE WHEN live THEN 1 ELSE 0 END) AS friends, max(added_at) AS added_at,
        max(last_talk_at) AS talked_at
    FROM fact_relations
    GROUP BY sender
),
touched AS (
    SELECT sender, touch, max("at") AS sent_at
    FROM receipts
    WHERE state = 'sent' AND "at" >= $month AND "at" < $now AND sender IS NOT NULL
    GROUP BY sender, touch
),
sent AS (
    SELECT sender, count(*) AS sent_30, sum(CASE WHEN sent_at >= $today THEN 1 ELSE 0 END) AS sent_today,
        max(sent_at) AS sent_at
    FROM touched
    GROUP BY sender
)
SELECT
    coalesce(f.sender, s.sender) AS sender, coalesce(f.friends, 0) AS friends, f.added_at, f.talked_at, s.sent_at,
    coalesce(s.sent_30, 0) AS sent_30, coalesce(s.sent_today, 0) AS sent_today
FROM friends AS f
FULL JOIN sent AS s ON s.sender = f.sender
ORDER BY 1
