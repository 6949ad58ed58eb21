-- One marketing broadcast on WeCom to everybody, its rules written out for this one case; see bench_plan.py.
WITH spent AS (
    SELECT coalesce(o.survivor, d.person) AS person, d.touch_class = 'marketing' AS marketing, d.value, d.due_at, d.deadline
    FROM decisions d
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.outcome IN ('send', 'held_out', 'globally_held_out')
      AND d.deadline > $start - INTERVAL 30 DAY AND d.due_at < $deadline + INTERVAL 30 DAY
      AND d.touch NOT IN (SELECT touch FROM receipts WHERE state IN ('failed', 'expired', 'suppressed'))
    UNION ALL
    SELECT coalesce(o.survivor, e.person), TRUE, FALSE, e.occurred_at, e.occurred_at
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent'
      AND e.occurred_at > $start - INTERVAL 30 DAY AND e.occurred_at < $deadline + INTERVAL 30 DAY
),
counts AS (
    SELECT
        person,
        count(*) FILTER (deadline > $start - INTERVAL 1 DAY AND due_at < $deadline + INTERVAL 1 DAY) AS day,
        count(*) FILTER (deadline > $start - INTERVAL 7 DAY AND due_at < $deadline + INTERVAL 7 DAY) AS week,
        count(*) AS month,
        count(*) FILTER (value) AS gave,
        count(*) FILTER (NOT value) AS promoted
    FROM spent WHERE marketing GROUP BY person
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
        WHEN coalesce(c.promoted, 0) >= 2 + 2 * coalesce(c.gave, 0) THEN 'value_ratio'
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
