-- What staff sent on their own between two instants, by the key of `who` sent it, and with `$each` by send: how many
-- sends of each kind, whom they spoke to (`persons`) and who could see them (`could_see`: what is written into a group or
-- published among moments nobody can tell was read). Of those spoken to, how many were then held out of a plan that was
-- being measured, and how many the message put over a cap: it counted with what the gate had let out to them before.
WITH mine AS (
    SELECT
        w.key, coalesce(o.survivor, e.person) AS person, e.occurred_at,
        CASE e.source WHEN 'offgate:group' THEN 'group' WHEN 'offgate:moments' THEN 'moments' ELSE 'mass' END AS kind,
        coalesce(json_extract_string(e.props, '$.send'), e.event_id) AS send,
        CASE WHEN $each THEN coalesce(json_extract_string(e.props, '$.content'), '') ELSE '' END AS content
    FROM events e
    JOIN who w ON w.staff = coalesce(e.staff, 0)
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND e.occurred_at > $since AND e.occurred_at <= $until
),
asked AS (SELECT * FROM mine WHERE $kind = '' OR kind = $kind),
spoken AS (SELECT DISTINCT person, occurred_at FROM asked WHERE kind = 'mass'),
held AS (
    SELECT coalesce(o.survivor, d.person) AS person, d.plan, min(d.decided_at) AS since, min(m.until) AS until
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    JOIN measured m ON m.plan = d.plan AND m.occasion = d.occasion
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.attempt = 1 AND d.outcome = 'held_out'
    GROUP BY 1, 2
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
    a.key,
    CASE WHEN $each THEN a.send ELSE '' END AS send,
    max(a.occurred_at) AS last_at,
    max(a.kind) AS kind,
    max(a.content) AS content,
    count(DISTINCT CASE WHEN a.kind = 'mass' THEN a.send END) AS mass,
    count(DISTINCT CASE WHEN a.kind = 'group' THEN a.send END) AS into_groups,
    count(DISTINCT CASE WHEN a.kind = 'moments' THEN a.send END) AS moments,
    count(DISTINCT CASE WHEN a.kind = 'mass' THEN a.person END) AS persons,
    count(DISTINCT CASE WHEN a.kind <> 'mass' THEN a.person END) AS could_see,
    count(DISTINCT CASE WHEN a.kind = 'mass' THEN k.person END) AS held_out,
    count(DISTINCT CASE WHEN a.kind = 'mass' THEN v.person END) AS over_cap
FROM asked a
LEFT JOIN kept k ON k.person = a.person AND k.occurred_at = a.occurred_at
LEFT JOIN beyond v ON v.person = a.person AND v.occurred_at = a.occurred_at
GROUP BY 1, 2
ORDER BY persons DESC, could_see DESC, last_at DESC, 1, 2
LIMIT $limit
