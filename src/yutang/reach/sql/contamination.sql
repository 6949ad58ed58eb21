-- Of a plan's held out, by the account that would have spoken to them: how many were spoken to all the same while they
-- were measured, each in the window of their own wave, by staff on their own (`off_gate`) or by other plans; and how many
-- could see what staff wrote into a group of theirs or published among their moments, which nobody can tell they read.
WITH held AS (
    SELECT
        coalesce(o.survivor, d.person) AS person, min(d.sender) AS sender, min(d.decided_at) AS since,
        min(w.horizon) AS until
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    JOIN waves w ON w.occasion = d.occasion
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.attempt = 1 AND d.outcome = 'held_out'
    GROUP BY 1
),
spoken AS (
    SELECT
        coalesce(o.survivor, e.person) AS person, e.occurred_at,
        coalesce(e.source, '') NOT IN ('offgate:group', 'offgate:moments') AS direct
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND e.occurred_at > $since AND e.occurred_at <= $until
),
told AS (
    SELECT h.person, bool_or(s.direct) AS direct, bool_or(NOT s.direct) AS could_see
    FROM held h
    JOIN spoken s ON s.person = h.person
    WHERE s.occurred_at > h.since AND s.occurred_at <= h.until
    GROUP BY h.person
),
sent AS (
    SELECT coalesce(o.survivor, d.person) AS person, r."at" AS sent_at
    FROM decisions d
    JOIN receipts r ON r.touch = d.touch AND r.state = 'sent'
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan <> $plan AND r."at" > $since AND r."at" <= $until
),
others AS (
    SELECT DISTINCT h.person
    FROM held h
    JOIN sent s ON s.person = h.person
    WHERE s.sent_at > h.since AND s.sent_at <= h.until
)
SELECT
    h.sender,
    count(*) AS held_out,
    count(*) FILTER (WHERE coalesce(t.direct, FALSE)) AS off_gate,
    count(*) FILTER (WHERE coalesce(t.could_see, FALSE) AND NOT coalesce(t.direct, FALSE)) AS could_see,
    count(s.person) AS other_plans
FROM held h
LEFT JOIN told t ON t.person = h.person
LEFT JOIN others s ON s.person = h.person
GROUP BY h.sender
ORDER BY h.sender
