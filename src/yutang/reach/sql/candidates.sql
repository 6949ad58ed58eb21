-- The audience of one attempt of a plan, with the columns that the gate's row rules and caps ask for.
-- A touch counts for a cap of length w if its [due, till], widened by w on both sides, meets the plan's window: so the
-- cap holds whenever the guide taps. `till` is its deadline, or later: a platform that did not answer at the deadline
-- could not cancel, so a touch counts until it was sent, and while nobody knows, as if it were sent now; for a week after
-- its deadline. Touches that came to nothing (failed, expired, suppressed later) free their place; held-out ones keep
-- it, exactly as if they had been sent. Off-gate touches count when they happened, but for those of which nobody knows
-- who saw them (what staff wrote into a group, or published among their moments); and so does what a guide sent beside a
-- chat, by the class that it said.
WITH births AS (
    SELECT a.person AS birth, a.person
    FROM audience a
    WHERE NOT EXISTS (SELECT 1 FROM person_overrides o WHERE o.birth = a.person)
    UNION ALL
    SELECT o.birth, o.survivor FROM person_overrides o SEMI JOIN audience a ON a.person = o.survivor
),
-- What is asked of a text is asked here, once: only flags and instants go through the joins that follow.
granted AS (
    SELECT
        d.touch, d.person AS birth, d.outcome = 'send' AS to_send, d.touch_class = 'marketing' AS marketing,
        d.channel = $channel AS here, d.value, d.due_at, d.deadline
    FROM decisions d
    WHERE d.outcome IN ('send', 'held_out', 'globally_held_out')
      AND d.deadline > $start - INTERVAL 38 DAY AND d.due_at < $deadline + INTERVAL 30 DAY
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
-- No touch ends before it was decided, which is at most a week before its deadline: what ended earlier is of others.
ends AS (
    SELECT r.touch, r.state = 'sent' AS sent, r."at"
    FROM receipts r
    WHERE r.state IN ('sent', 'failed', 'expired', 'suppressed') AND r."at" > $start - INTERVAL 46 DAY
),
spent AS (
    SELECT
        b.person, g.marketing, g.here, g.value, g.due_at,
        CASE
            WHEN NOT g.to_send THEN g.deadline
            WHEN e.sent THEN greatest(g.deadline, e."at")
            WHEN g.deadline > $start - INTERVAL 7 DAY THEN greatest(g.deadline, $start)
            ELSE g.deadline
        END AS till
    FROM granted g
    LEFT JOIN ends e ON e.touch = g.touch
    JOIN births b ON b.birth = g.birth
    WHERE e.sent IS NOT FALSE
    UNION ALL
    SELECT b.person, TRUE, coalesce(e.channel, 'wecom') = $channel, FALSE, e.occurred_at, e.occurred_at
    FROM events e
    JOIN births b ON b.birth = e.person
    WHERE e.type = 'offgate.sent' AND coalesce(e.source, '') NOT IN ('offgate:group', 'offgate:moments')
      AND e.occurred_at > $start - INTERVAL 30 DAY
      AND e.occurred_at < $deadline + INTERVAL 30 DAY
    UNION ALL
    SELECT
        b.person, json_extract_string(e.props, '$.class') = 'marketing', coalesce(e.channel, 'wecom') = $channel,
        json_extract_string(e.props, '$.value') = 'yes', e.occurred_at, e.occurred_at
    FROM events e
    JOIN births b ON b.birth = e.person
    WHERE e.type = 'message.sent' AND e.source = 'sidebar' AND e.occurred_at > $start - INTERVAL 30 DAY
      AND e.occurred_at < $deadline + INTERVAL 30 DAY
),
counts AS (
    SELECT
        s.person,
        count(*) FILTER (WHERE s.near_day AND s.marketing) AS touches_day,
        count(*) FILTER (WHERE s.near_week AND s.marketing) AS touches_week,
        count(*) FILTER (WHERE s.marketing) AS touches_month,
        count(*) FILTER (WHERE s.near_day AND s.here) AS channel_day,
        count(*) FILTER (WHERE s.here) AS channel_month,
        count(*) FILTER (WHERE s.marketing AND s.value) AS value_30d
    FROM (
        SELECT
            person, marketing, here, value,
            till > $start - INTERVAL 1 DAY AND due_at < $deadline + INTERVAL 1 DAY AS near_day,
            till > $start - INTERVAL 7 DAY AND due_at < $deadline + INTERVAL 7 DAY AS near_week
        FROM spent
        WHERE till > $start - INTERVAL 30 DAY AND due_at < $deadline + INTERVAL 30 DAY
    ) s
    GROUP BY s.person
),
friends AS (
    SELECT person, min(added_at) AS friend_since
    FROM fact_relations WHERE live AND channel = $channel GROUP BY person
),
wishes AS (
    SELECT
        person,
        count(*) FILTER (WHERE (kind = 'topic' AND name IN ($topic, '*')) OR (kind = 'channel' AND name IN ($channel, '*')))
            AS refused,
        min(value) FILTER (WHERE kind = 'cap' AND name = 'week') AS own_week,
        min(value) FILTER (WHERE kind = 'cap' AND name = 'month') AS own_month,
        max(value) FILTER (WHERE kind = 'hours' AND name = 'opens') AS own_opens,
        min(value) FILTER (WHERE kind = 'hours' AND name = 'closes') AS own_closes
    FROM fact_preferences GROUP BY person
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
    NOT (coalesce(f.silent, FALSE) OR coalesce(f.blocked, FALSE) OR coalesce(w.refused, 0) > 0) AS preference,
    w.own_week,
    w.own_month,
    w.own_opens,
    w.own_closes,
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
    coalesce(c.touches_month - c.value_30d, 0) AS promo_30d
FROM audience a
LEFT JOIN facts f ON f.person = a.person
LEFT JOIN profiles p ON p.person = a.person
LEFT JOIN friends r ON r.person = a.person
LEFT JOIN agreed g ON g.person = a.person
LEFT JOIN wishes w ON w.person = a.person
LEFT JOIN counts c ON c.person = a.person
ORDER BY a.person
