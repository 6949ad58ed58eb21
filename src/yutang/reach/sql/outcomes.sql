-- What each decided person of a plan spent in the window of their wave, and before it; by arm.
WITH first_attempt AS (
    SELECT DISTINCT coalesce(o.survivor, d.person) AS person, d.occasion, d.outcome, d.touch
    FROM decisions d
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.attempt = 1 AND d.outcome IN ('send', 'held_out')
      AND EXISTS (SELECT 1 FROM committed c WHERE c.run = d.run)
),
arms AS (
    SELECT person, min(occasion) AS occasion, bool_or(outcome = 'held_out') AS held_out
    FROM first_attempt GROUP BY person
),
reached AS (
    SELECT DISTINCT coalesce(o.survivor, d.person) AS person
    FROM decisions d
    JOIN receipts r ON r.touch = d.touch AND r.state = 'sent' AND r."at" > $since
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan
),
spend AS (
    SELECT
        a.person,
        sum(s.net_amount) FILTER (WHERE s.placed_at > w.start AND s.placed_at <= w.horizon) AS outcome,
        sum(s.net_amount) FILTER (WHERE s.placed_at <= w.start AND s.placed_at > w.start - INTERVAL 183 DAY) AS before
    FROM arms a
    JOIN waves w ON w.occasion = a.occasion
    JOIN (
        SELECT coalesce(o.survivor, s.person) AS person, s.placed_at, s.net_amount
        FROM orders s
        LEFT JOIN person_overrides o ON o.birth = s.person
        WHERE s.placed_at > $since AND s.placed_at <= $until
    ) s ON s.person = a.person
    GROUP BY a.person
)
SELECT
    a.person, a.occasion, a.held_out,
    r.person IS NOT NULL AS sent,
    coalesce(CAST(s.outcome AS DOUBLE), 0.0) AS outcome,
    coalesce(CAST(s.before AS DOUBLE), 0.0) AS before
FROM arms a
LEFT JOIN spend s ON s.person = a.person
LEFT JOIN reached r ON r.person = a.person
ORDER BY a.person
