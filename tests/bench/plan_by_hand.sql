-- One marketing broadcast on WeCom to everybody, its rules written out for this one case; see bench_plan.py.
WITH granted AS (
    SELECT
        touch, person, outcome = 'send' AS to_send, touch_class = 'marketing' AS marketing, value, due_at, deadline
    FROM decisions
    WHERE outcome IN ('send', 'held_out', 'globally_held_out')
      AND deadline > $start - INTERVAL 38 DAY AND due_at < $deadline + INTERVAL 30 DAY
),
ends AS (
    SELECT touch, state = 'sent' AS sent, "at" FROM receipts WHERE state IN ('sent', 'failed', 'expired', 'suppressed')
),
spent AS (
    SELECT
        coalesce(o.survivor, g.person) AS person, g.value, g.due_at,
        CASE
            WHEN NOT g.to_send THEN g.deadline
            WHEN e.sent THEN greatest(g.deadline, e."at")
            WHEN g.deadline > $start - INTERVAL 7 DAY THEN greatest(g.deadline, $start)
            ELSE g.deadline
        END AS till
    FROM granted g
    LEFT JOIN ends e ON e.touch = g.touch
    LEFT JOIN person_overrides o ON o.birth = g.person
    WHERE g.marketing AND e.sent IS NOT FALSE
    UNION ALL
    SELECT coalesce(o.survivor, e.person), FALSE, e.occurred_at, e.occurred_at
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent'
      AND e.occurred_at > $start - INTERVAL 30 DAY AND e.occurred_at < $deadline + INTERVAL 30 DAY
),
counts AS (
    SELECT
        person,
        count(*) FILTER (till > $start - INTERVAL 1 DAY AND due_at < $deadline + INTERVAL 1 DAY) AS day,
        count(*) FILTER (till > $start - INTERVAL 7 DAY AND due_at < $deadline + INTERVAL 7 DAY) AS week,
        count(*) AS month,
        count(*) FILTER (value) AS gave
    FROM spent
    WHERE till > $start - INTERVAL 30 DAY AND due_at < $deadline + INTERVAL 30 DAY
    GROUP BY person
),
friends AS (
    SELECT person, min(added_at) AS since FROM fact_relations WHERE live AND channel = 'wecom' GROUP BY person
),
guides AS (
    SELECT
        r.person,
        arg_min(
            {'sender': r.sender, 'store': r.store},
            (-coalesce(epoch_us(r.last_talk_at), -9223372036854775807), epoch_us(r.added_at), r.sender)
        ) AS best
    FROM fact_relations r
    SEMI JOIN active_senders s ON s.sender = r.sender
    WHERE r.live AND r.channel = 'wecom'
    GROUP BY r.person
),
agreed AS (
    SELECT person, bool_and(granted) AS yes FROM fact_consents WHERE purpose = 'marketing' AND channel = 'wecom' GROUP BY person
)
SELECT
    p.person,
    CASE
        WHEN f.since IS NULL THEN 'relation'
        WHEN NOT coalesce(a.yes, FALSE) THEN 'consent'
        WHEN coalesce(x.silent, FALSE) OR coalesce(x.blocked, FALSE) THEN 'preference'
        WHEN coalesce(x.risk, 0) > 1 THEN 'risk'
        WHEN f.since > $start - INTERVAL 3 DAY THEN 'grace_period'
        WHEN coalesce(c.month - c.gave, 0) >= 2 + 2 * coalesce(c.gave, 0) THEN 'value_ratio'
        WHEN g.best IS NULL THEN 'sender_choice'
        WHEN coalesce(c.day, 0) >= 1 OR coalesce(c.week, 0) >= 3 OR coalesce(c.month, 0) >= 8 THEN 'caps'
    END AS reason,
    g.best.sender AS sender,
    g.best.store AS store,
    coalesce(x.bucket, 9999) AS bucket,
    coalesce(CAST(p.spend_365d AS DOUBLE), 0.0) AS worth
FROM profiles p
LEFT JOIN facts x ON x.person = p.person
LEFT JOIN friends f ON f.person = p.person
LEFT JOIN guides g ON g.person = p.person
LEFT JOIN agreed a ON a.person = p.person
LEFT JOIN counts c ON c.person = p.person
ORDER BY p.person
