-- The month behind each of these guides: persons reached through the gate, those of them who wrote to us afterwards, their
-- orders within seven days of it, friends won and lost.
WITH hers AS (
    SELECT r.sender, coalesce(o.survivor, d.person) AS person, min(r."at") AS "at"
    FROM receipts r
    JOIN decisions d ON d.touch = r.touch
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE r.state = 'sent' AND r."at" > $since AND d.decided_at > $since - INTERVAL 8 DAY
      AND EXISTS (SELECT 1 FROM guides g WHERE g.sender = r.sender)
    GROUP BY r.sender, coalesce(o.survivor, d.person)
),
wrote AS (
    SELECT DISTINCT h.sender, h.person
    FROM hers h
    JOIN (
        SELECT coalesce(o.survivor, e.person) AS person, e.occurred_at
        FROM events e LEFT JOIN person_overrides o ON o.birth = e.person
        WHERE e.type = 'message.received' AND e.occurred_at > $since
    ) m ON m.person = h.person AND m.occurred_at > h."at"
),
bought AS (
    SELECT h.sender, count(*) AS orders
    FROM hers h
    JOIN (
        SELECT coalesce(o.survivor, s.person) AS person, s.placed_at
        FROM orders s LEFT JOIN person_overrides o ON o.birth = s.person
        WHERE s.placed_at > $since AND s.cancelled_at IS NULL
    ) s ON s.person = h.person AND s.placed_at > h."at" AND s.placed_at <= h."at" + INTERVAL 7 DAY
    GROUP BY h.sender
),
reached AS (
    SELECT h.sender, count(*) AS reached, count(w.person) AS replies
    FROM hers h
    LEFT JOIN wrote w ON w.sender = h.sender AND w.person = h.person
    GROUP BY h.sender
),
friends AS (
    SELECT
        e.staff,
        count(*) FILTER (WHERE e.type = 'relation.added') AS won, count(*) FILTER (WHERE e.type = 'relation.lost') AS lost
    FROM events e
    WHERE e.type IN ('relation.added', 'relation.lost') AND e.occurred_at > $since AND e.staff IS NOT NULL
    GROUP BY e.staff
)
SELECT
    g.sender,
    coalesce(r.reached, 0) AS reached, coalesce(r.replies, 0) AS replies, coalesce(b.orders, 0) AS orders,
    coalesce(f.won, 0) AS friends_new, coalesce(f.lost, 0) AS friends_lost
FROM guides g
LEFT JOIN reached r ON r.sender = g.sender
LEFT JOIN bought b ON b.sender = g.sender
LEFT JOIN friends f ON f.staff = g.staff
ORDER BY g.sender
