-- Of a plan's held out, how many were spoken to while it was measured: by staff on their own, or by other plans.
WITH held AS (
    SELECT coalesce(o.survivor, d.person) AS person, min(d.decided_at) AS since
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.attempt = 1 AND d.outcome = 'held_out'
    GROUP BY 1
),
off_gate AS (
    SELECT DISTINCT h.person
    FROM held h
    JOIN (
        SELECT coalesce(o.survivor, e.person) AS person, e.occurred_at
        FROM events e
        LEFT JOIN person_overrides o ON o.birth = e.person
        WHERE e.type = 'offgate.sent'
    ) e ON e.person = h.person AND e.occurred_at > h.since AND e.occurred_at <= $until
),
others AS (
    SELECT DISTINCT h.person
    FROM held h
    JOIN (
        SELECT coalesce(o.survivor, d.person) AS person, r."at" AS sent_at
        FROM decisions d
        JOIN receipts r ON r.touch = d.touch AND r.state = 'sent'
        LEFT JOIN person_overrides o ON o.birth = d.person
        WHERE d.plan <> $plan
    ) s ON s.person = h.person AND s.sent_at > h.since AND s.sent_at <= $until
)
SELECT
    count(*) AS held_out,
    count(g.person) AS off_gate,
    count(s.person) AS other_plans
FROM held h
LEFT JOIN off_gate g ON g.person = h.person
LEFT JOIN others s ON s.person = h.person
