-- Every touch that staff sent on their own between two instants: who (`staff`, 0 for members who are none of our
-- accounts), to whom, when, how, in which send, and what it says (`content` stands for its words). Of those who were
-- spoken to themselves: whether they were then held out of a plan that was being measured (`held`), each wave in its own
-- window, and whether the message put them over a cap (`beyond`): it counted with what the gate had let out to them
-- before. Neither depends on `$since`. What is written into a group or published among moments counts for no cap.
WITH asked AS (
    SELECT
        coalesce(e.staff, 0) AS staff, coalesce(o.survivor, e.person) AS person, e.occurred_at,
        CASE e.source WHEN 'offgate:group' THEN 'group' WHEN 'offgate:moments' THEN 'moments' ELSE 'mass' END AS kind,
        coalesce(json_extract_string(e.props, '$.send'), e.event_id) AS send,
        coalesce(json_extract_string(e.props, '$.content'), '') AS content
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND e.occurred_at > $since AND e.occurred_at <= $until
),
spoken AS (SELECT DISTINCT person, occurred_at FROM asked WHERE kind = 'mass'),
held AS (
    SELECT DISTINCT coalesce(o.survivor, d.person) AS person, d.decided_at AS since, m.until
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    JOIN measured m ON m.plan = d.plan AND m.occasion = d.occasion
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.attempt = 1 AND d.outcome = 'held_out'
),
kept AS (
    SELECT DISTINCT s.person, s.occurred_at
    FROM spoken s
    JOIN held h ON h.person = s.person
    WHERE s.occurred_at > h.since AND s.occurred_at <= h.until
),
touches AS (
    SELECT coalesce(o.survivor, d.person) AS person, r."at"
    FROM decisions d
    JOIN receipts r ON r.touch = d.touch AND r.state = 'sent'
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.touch_class = 'marketing' AND r."at" > $since - INTERVAL 30 DAY AND r."at" <= $until
      AND coalesce(o.survivor, d.person) IN (SELECT person FROM spoken)
    UNION ALL
    SELECT coalesce(o.survivor, e.person) AS person, e.occurred_at AS "at"
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND coalesce(e.source, '') NOT IN ('offgate:group', 'offgate:moments')
      AND e.occurred_at > $since - INTERVAL 30 DAY AND e.occurred_at <= $until
    UNION ALL
    SELECT coalesce(o.survivor, e.person) AS person, e.occurred_at AS "at"
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'message.sent' AND e.source = 'sidebar'
      AND json_extract_string(e.props, '$.class') = 'marketing'
      AND e.occurred_at > $since - INTERVAL 30 DAY AND e.occurred_at <= $until
),
beyond AS (
    SELECT s.person, s.occurred_at
    FROM spoken s
    JOIN touches t ON t.person = s.person
    WHERE t."at" <= s.occurred_at AND t."at" > s.occurred_at - INTERVAL 30 DAY
    GROUP BY s.person, s.occurred_at
    HAVING count(*) > $month
        OR count(*) FILTER (WHERE t."at" > s.occurred_at - INTERVAL 7 DAY) > $week
        OR count(*) FILTER (WHERE t."at" > s.occurred_at - INTERVAL 1 DAY) > $day
)
SELECT
    a.staff, a.person, a.occurred_at, a.kind, a.send, a.content,
    a.kind = 'mass' AND k.person IS NOT NULL AS held,
    a.kind = 'mass' AND v.person IS NOT NULL AS beyond
FROM asked a
LEFT JOIN kept k ON k.person = a.person AND k.occurred_at = a.occurred_at
LEFT JOIN beyond v ON v.person = a.person AND v.occurred_at = a.occurred_at
