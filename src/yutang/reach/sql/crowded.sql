-- Of recipients who are about to be asked for, every other touch that stands beside theirs, as the persons are today;
-- only where one is of the same plan, or where there are as many as a cap allows. Who was decided under another number
-- stood in nobody's count then, nor did what a guide sent since, on their own or beside a chat. Unsent touches past
-- their deadline may still be tapped for a week, as in `candidates`.
WITH births AS (
    SELECT m.person AS birth, m.touch, m.deadline FROM members m
    UNION ALL
    SELECT o.birth, m.touch, m.deadline FROM person_overrides o JOIN members m ON m.person = o.survivor
),
granted AS (
    SELECT
        d.touch, d.run, d.sender, d.due_at, d.deadline, d.person AS birth, d.outcome = 'send' AS to_send,
        d.plan = $plan AS same_plan, d.touch_class = 'marketing' AS marketing, d.channel = $channel AS same_channel
    FROM decisions d
    WHERE d.outcome IN ('send', 'held_out', 'globally_held_out')
      AND (d.plan = $plan OR d.deadline > $now - INTERVAL 38 DAY)
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
ends AS (
    SELECT r.touch, r.state = 'sent' AS sent, r."at"
    FROM receipts r
    WHERE r.state IN ('sent', 'failed', 'expired', 'suppressed')
),
beside AS (
    SELECT
        m.touch AS recipient, m.deadline AS until, g.touch, g.run, g.sender, g.due_at, g.deadline,
        g.to_send AND e.sent IS NULL AS still_open, g.same_plan, g.marketing, g.same_channel,
        CASE WHEN e.sent THEN e."at" ELSE g.due_at END AS earliest,
        CASE
            WHEN e.sent THEN e."at"
            WHEN g.to_send AND g.deadline > $now - INTERVAL 7 DAY THEN greatest(g.deadline, m.deadline)
            ELSE g.deadline
        END AS latest
    FROM granted g
    JOIN births m ON m.birth = g.birth
    LEFT JOIN ends e ON e.touch = g.touch
    WHERE e.sent IS NOT FALSE
    UNION ALL
    SELECT
        m.touch, m.deadline, 0, 0, 0, e.occurred_at, e.occurred_at, FALSE,
        FALSE, TRUE, coalesce(e.channel, 'wecom') = $channel, e.occurred_at, e.occurred_at
    FROM events e
    JOIN births m ON m.birth = e.person
    WHERE e.type = 'offgate.sent' AND coalesce(e.source, '') NOT IN ('offgate:group', 'offgate:moments')
      AND e.occurred_at > $now - INTERVAL 31 DAY AND e.occurred_at <= $now
    UNION ALL
    SELECT
        m.touch, m.deadline, 0, 0, 0, e.occurred_at, e.occurred_at, FALSE, FALSE,
        json_extract_string(e.props, '$.class') = 'marketing', coalesce(e.channel, 'wecom') = $channel,
        e.occurred_at, e.occurred_at
    FROM events e
    JOIN births m ON m.birth = e.person
    WHERE e.type = 'message.sent' AND e.source = 'sidebar' AND e.occurred_at > $now - INTERVAL 31 DAY
      AND e.occurred_at <= $now
),
-- What each recipient asked for herself binds beside the policy, where the touch is marketing.
own AS (
    SELECT
        m.touch,
        min(CASE WHEN $wishes AND p.name = 'week' AND p.value < $week THEN p.value ELSE $week END) AS week,
        min(CASE WHEN $wishes AND p.name = 'month' AND p.value < $month THEN p.value ELSE $month END) AS month
    FROM members m
    LEFT JOIN fact_preferences p ON p.person = m.person AND p.kind = 'cap'
    GROUP BY m.touch
),
crowd AS (
    SELECT recipient
    FROM (
        SELECT
            recipient, same_plan, marketing, same_channel,
            latest > $now - INTERVAL 1 DAY AND earliest < until + INTERVAL 1 DAY AS near_day,
            latest > $now - INTERVAL 7 DAY AND earliest < until + INTERVAL 7 DAY AS near_week,
            latest > $now - INTERVAL 30 DAY AND earliest < until + INTERVAL 30 DAY AS near_month
        FROM beside
        WHERE touch <> recipient
    ) b
    JOIN own o ON o.touch = b.recipient
    GROUP BY recipient
    HAVING count(*) FILTER (WHERE same_plan) > 0
        OR count(*) FILTER (WHERE near_day AND marketing) >= $day
        OR count(*) FILTER (WHERE near_week AND marketing) >= min(o.week)
        OR count(*) FILTER (WHERE near_month AND marketing) >= min(o.month)
        OR count(*) FILTER (WHERE near_day AND same_channel) >= $channel_day
        OR count(*) FILTER (WHERE near_month AND same_channel) >= $channel_month
)
SELECT
    b.recipient, b.touch, b.run, b.sender, b.due_at, b.deadline, b.still_open, b.same_plan, b.marketing,
    b.same_channel, b.earliest, b.latest, o.week, o.month
FROM beside b
JOIN own o ON o.touch = b.recipient
SEMI JOIN crowd c ON c.recipient = b.recipient
WHERE b.touch <> b.recipient
ORDER BY b.recipient, b.due_at, b.run, b.touch
