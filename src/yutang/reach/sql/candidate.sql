-- One person's columns, as `candidates` has them for a whole audience, read by their own numbers: one among millions.
-- What counts, and when, is said there; `tests/reach/test_asking.py` holds the two equal.
WITH granted AS (
    SELECT
        d.touch, d.outcome = 'send' AS to_send, d.touch_class = 'marketing' AS marketing, d.channel = $channel AS here,
        d.value, d.due_at, d.deadline
    FROM decisions d
    WHERE d.person IN (SELECT b.birth FROM births b) AND d.outcome IN ('send', 'held_out', 'globally_held_out')
      AND d.deadline > $start - INTERVAL 38 DAY AND d.due_at < $deadline + INTERVAL 30 DAY
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
ends AS (
    SELECT r.touch, r.state = 'sent' AS sent, r."at"
    FROM receipts r
    WHERE r.touch IN (SELECT g.touch FROM granted g) AND r.state IN ('sent', 'failed', 'expired', 'suppressed')
      AND r."at" > $start - INTERVAL 46 DAY
),
spent AS (
    SELECT
        g.marketing, g.here, g.value, g.due_at,
        CASE
            WHEN NOT g.to_send THEN g.deadline
            WHEN e.sent THEN greatest(g.deadline, e."at")
            WHEN g.deadline > $start - INTERVAL 7 DAY THEN greatest(g.deadline, $start)
            ELSE g.deadline
        END AS till
    FROM granted g
    LEFT JOIN ends e ON e.touch = g.touch
    WHERE e.sent IS NOT FALSE
    UNION ALL
    SELECT
        CASE WHEN e.type = 'offgate.sent' THEN TRUE ELSE json_extract_string(e.props, '$.class') = 'marketing' END,
        coalesce(e.channel, 'wecom') = $channel,
        e.type = 'message.sent' AND json_extract_string(e.props, '$.value') = 'yes', e.occurred_at, e.occurred_at
    FROM events e
    WHERE e.person IN (SELECT b.birth FROM births b)
      AND (
          e.type = 'offgate.sent' AND coalesce(e.source, '') NOT IN ('offgate:group', 'offgate:moments')
          OR e.type = 'message.sent' AND e.source = 'sidebar'
      )
      AND e.occurred_at > $start - INTERVAL 30 DAY AND e.occurred_at < $deadline + INTERVAL 30 DAY
),
counts AS (
    SELECT
        count(*) FILTER (WHERE s.near_day AND s.marketing) AS touches_day,
        count(*) FILTER (WHERE s.near_week AND s.marketing) AS touches_week,
        count(*) FILTER (WHERE s.marketing) AS touches_month,
        count(*) FILTER (WHERE s.near_day AND s.here) AS channel_day,
        count(*) FILTER (WHERE s.here) AS channel_month,
        count(*) FILTER (WHERE s.marketing AND s.value) AS value_30d
    FROM (
        SELECT
            marketing, here, value,
            till > $start - INTERVAL 1 DAY AND due_at < $deadline + INTERVAL 1 DAY AS near_day,
            till > $start - INTERVAL 7 DAY AND due_at < $deadline + INTERVAL 7 DAY AS near_week
        FROM spent
        WHERE till > $start - INTERVAL 30 DAY AND due_at < $deadline + INTERVAL 30 DAY
    ) s
),
friends AS (
    SELECT min(added_at) AS friend_since FROM fact_relations WHERE person = $person AND live AND channel = $channel
),
wishes AS (
    SELECT
        count(*) FILTER (WHERE (kind = 'topic' AND name IN ($topic, '*')) OR (kind = 'channel' AND name IN ($channel, '*')))
            AS refused,
        min(value) FILTER (WHERE kind = 'cap' AND name = 'week') AS own_week,
        min(value) FILTER (WHERE kind = 'cap' AND name = 'month') AS own_month,
        max(value) FILTER (WHERE kind = 'hours' AND name = 'opens') AS own_opens,
        min(value) FILTER (WHERE kind = 'hours' AND name = 'closes') AS own_closes
    FROM fact_preferences WHERE person = $person
),
agreed AS (
    SELECT coalesce(bool_and(granted) FILTER (WHERE channel = $channel), bool_and(granted)) AS consent
    FROM fact_consents WHERE person = $person AND purpose = $purpose AND channel IN ($channel, '*')
),
known AS (
    SELECT
        max(zone) AS zone, max(bucket) AS bucket, max(risk) AS risk,
        max(CASE WHEN coalesce(silent, FALSE) OR coalesce(blocked, FALSE) THEN 1 ELSE 0 END) AS shut
    FROM facts WHERE person = $person
),
worth AS (SELECT max(spend_365d) AS spend FROM profiles WHERE person = $person)
SELECT
    coalesce(CAST(p.spend AS DOUBLE), 0.0) AS expected_value,
    coalesce(g.consent, FALSE) AS consent,
    NOT (coalesce(f.shut, 0) > 0 OR w.refused > 0) AS preference,
    w.own_week, w.own_month, w.own_opens, w.own_closes,
    coalesce(f.risk, 0) AS risk,
    r.friend_since,
    coalesce(f.zone, $zone) AS zone,
    coalesce(f.bucket, 9999) AS bucket,
    c.touches_day, c.touches_week, c.touches_month, c.channel_day, c.channel_month, c.value_30d,
    c.touches_month - c.value_30d AS promo_30d
FROM counts c
CROSS JOIN friends r
CROSS JOIN wishes w
CROSS JOIN agreed g
CROSS JOIN known f
CROSS JOIN worth p
