-- The audience of one attempt of a plan, with the columns that the gate's row rules and caps ask for.
-- A touch counts for a cap of length w if its [due, deadline], widened by w on both sides, meets the plan's window:
-- so the cap holds whenever the guide taps. Touches that came to nothing (failed, expired, suppressed later) free
-- their place; held-out ones keep it, exactly as if they had been sent. Off-gate touches count when they happened.
-- A platform that did not answer at the deadline could not cancel: then a touch counts until it was sent, and while
-- nobody knows, as if it were sent now; for a week after its deadline.
WITH spent AS (
    SELECT
        coalesce(o.survivor, d.person) AS person, d.touch_class, d.channel, d.value, d.due_at,
        CASE
            WHEN d.outcome <> 'send' THEN d.deadline
            WHEN r.state = 'sent' THEN greatest(d.deadline, r.at)
            WHEN d.deadline > $start - INTERVAL 7 DAY THEN greatest(d.deadline, $start)
            ELSE d.deadline
        END AS deadline
    FROM decisions d
    LEFT JOIN person_overrides o ON o.birth = d.person
    LEFT JOIN receipts r ON r.touch = d.touch AND r.state IN ('sent', 'failed', 'expired', 'suppressed')
    WHERE d.outcome IN ('send', 'held_out', 'globally_held_out') AND (r.state IS NULL OR r.state = 'sent')
      AND d.deadline > $start - INTERVAL 38 DAY AND d.due_at < $deadline + INTERVAL 31 DAY
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
    UNION ALL
    SELECT coalesce(o.survivor, e.person), 'marketing', coalesce(e.channel, 'wecom'), FALSE, e.occurred_at, e.occurred_at
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND e.occurred_at > $start - INTERVAL 31 DAY
      AND e.occurred_at < $deadline + INTERVAL 31 DAY
),
counts AS (
    SELECT
        s.person,
        count(*) FILTER (WHERE near_day AND marketing) AS touches_day,
        count(*) FILTER (WHERE near_week AND marketing) AS touches_week,
        count(*) FILTER (WHERE near_month AND marketing) AS touches_month,
        count(*) FILTER (WHERE near_day AND s.channel = $channel) AS channel_day,
        count(*) FILTER (WHERE near_month AND s.channel = $channel) AS channel_month,
        count(*) FILTER (WHERE near_month AND marketing AND s.value) AS value_30d,
        count(*) FILTER (WHERE near_month AND marketing AND NOT s.value) AS promo_30d
    FROM (
        SELECT
            person, channel, value, touch_class = 'marketing' AS marketing,
            deadline > $start - INTERVAL 1 DAY AND due_at < $deadline + INTERVAL 1 DAY AS near_day,
            deadline > $start - INTERVAL 7 DAY AND due_at < $deadline + INTERVAL 7 DAY AS near_week,
            deadline > $start - INTERVAL 30 DAY AND due_at < $deadline + INTERVAL 30 DAY AS near_month
        FROM spent
    ) s
    SEMI JOIN audience a ON a.person = s.person
    GROUP BY s.person
),
friends AS (
    SELECT person, min(added_at) AS friend_since
    FROM fact_relations WHERE live AND channel = $channel GROUP BY person
),
agreed AS (
    -- what was said of the channel itself decides, and of all channels where nothing was said of this one
    SELECT
        person,
        coalesce(bool_and(granted) FILTER (WHERE channel = $channel), bool_and(granted)) AS consent
    FROM fact_consents WHERE purpose = $purpose AND channel IN ($channel, '*') GROUP BY person
)
SELECT
    a.person,
    coalesce(CAST(p.spend_365d AS DOUBLE), 0.0) AS expected_value,
    coalesce(g.consent, FALSE) AS consent,
    NOT (coalesce(f.silent, FALSE) OR coalesce(f.blocked, FALSE)) AS preference,
    coalesce(f.risk, 0) AS risk,
    r.friend_since,
    coalesce(f.zone, $zone) AS zone,
    coalesce(f.bucket, 9999) AS bucket,
    coalesce(c.touches_day, 0) AS touches_day,
    coalesce(c.touches_week, 0) AS touches_week,
    coalesce(c.touches_month, 0) AS touches_month,
    coalesce(c.channel_day, 0) AS channel_day,
    coalesce(c.channel_month, 0) AS channel_month,
    coalesce(c.value_30d, 0) AS value_30d,
    coalesce(c.promo_30d, 0) AS promo_30d
FROM audience a
LEFT JOIN facts f ON f.person = a.person
LEFT JOIN profiles p ON p.person = a.person
LEFT JOIN friends r ON r.person = a.person
LEFT JOIN agreed g ON g.person = a.person
LEFT JOIN counts c ON c.person = a.person
ORDER BY a.person
