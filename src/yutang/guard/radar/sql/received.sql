-- How many messages of a kind reached each customer of a corp since $since: of a corp the most that one customer got, and
-- how many got $near or more. `mass`: sent to each, by the gate or beside it; `group`: into groups they are in.
WITH sent AS (
    SELECT coalesce(o.survivor, d.person) AS person, mine.corp AS corp
    FROM decisions d
    JOIN receipts r ON r.touch = d.touch AND r.state = 'sent'
    JOIN mine ON mine.sender = d.sender
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE $kind = 'mass' AND d.channel = 'wecom' AND r."at" > $since AND r."at" <= $until
    UNION ALL
    SELECT coalesce(o.survivor, e.person) AS person, theirs.corp AS corp
    FROM events e
    JOIN theirs ON theirs.staff = e.staff
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'offgate.sent' AND e.person IS NOT NULL AND e.occurred_at > $since AND e.occurred_at <= $until
        AND coalesce(json_extract_string(e.props, '$.kind'), 'mass') = $kind
),
counted AS (
    SELECT corp, person, count(*) AS messages
    FROM sent
    GROUP BY corp, person
)
SELECT corp, max(messages) AS most, count(*) FILTER (WHERE messages >= $near) AS near
FROM counted
GROUP BY corp
ORDER BY corp
