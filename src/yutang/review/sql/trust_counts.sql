-- Per guide, store and component: what happened to her friends, and what the brand's hazards would have brought.
-- Hazards are by span of a friendship's age, by door, and by how often a person had bought in the year before. A door by
-- which fewer than 10 guides or 3 stores win friends is no stratum of its own: it would be the guide. Who was handed on is
-- followed until then; who left is asked no more for an answer, but may still buy.
WITH wide AS (
    SELECT source FROM cohort GROUP BY source HAVING count(DISTINCT staff) >= 10 AND count(DISTINCT store) >= 3
),
bought AS (
    SELECT coalesce(merged.survivor, o.person) AS person, o.placed_at
    FROM orders AS o
    LEFT JOIN person_overrides AS merged ON merged.birth = o.person
    WHERE o.cancelled_at IS NULL AND o.net_amount > 0 AND o.placed_at < $now AND o.person IS NOT NULL
),
buying AS (
    SELECT
        c.person, c.staff, min(CASE WHEN b.placed_at > c.added_at THEN b.placed_at END) AS bought_at,
        sum(CASE WHEN b.placed_at <= c.added_at AND b.placed_at > c.added_at - INTERVAL 365 DAY THEN 1 ELSE 0 END) AS before
    FROM cohort AS c
    JOIN bought AS b ON b.person = c.person
    GROUP BY c.person, c.staff
),
wrote AS (
    SELECT coalesce(merged.survivor, e.person) AS person, e.staff, e.occurred_at
    FROM events AS e
    LEFT JOIN person_overrides AS merged ON merged.birth = e.person
    WHERE e.type = 'message.received' AND e.staff IS NOT NULL AND e.occurred_at < $now
),
answering AS (
    SELECT c.person, c.staff, min(w.occurred_at) AS answered_at
    FROM cohort AS c
    JOIN wrote AS w ON w.person = c.person AND w.staff = c.staff
    WHERE w.occurred_at >= c.added_at
    GROUP BY c.person, c.staff
),
friends AS (
    SELECT
        c.staff, c.store, CASE WHEN wide.source IS NULL THEN '' ELSE c.source END AS door,
        least(coalesce(buying.before, 0), 2) AS before,
        c.added_at, c.lost_at, c.handed_on, buying.bought_at, answering.answered_at,
        CASE WHEN c.handed_on THEN least(c.lost_at, $now) ELSE $now END AS followed_to
    FROM cohort AS c
    LEFT JOIN wide ON wide.source = c.source
    LEFT JOIN buying ON buying.person = c.person AND buying.staff = c.staff
    LEFT JOIN answering ON answering.person = c.person AND answering.staff = c.staff
),
watched AS (
    SELECT
        staff, store, door, before, 'retention' AS component, added_at,
        least(followed_to, added_at + INTERVAL 90 DAY) AS watched_to,
        CASE WHEN NOT handed_on THEN lost_at END AS happened_at
    FROM friends
    UNION ALL
    SELECT
        staff, store, door, before, 'replies' AS component, added_at,
        least(coalesce(lost_at, $now), followed_to, added_at + INTERVAL 30 DAY) AS watched_to,
        answered_at AS happened_at
    FROM friends
    UNION ALL
    SELECT
        staff, store, door, before, 'purchases' AS component, added_at,
        least(followed_to, added_at + INTERVAL 90 DAY) AS watched_to, bought_at AS happened_at
    FROM friends
),
timed AS (
    SELECT
        staff, store, door, before, component,
        CASE WHEN coalesce(happened_at, $now) <= watched_to AND happened_at IS NOT NULL THEN 1 ELSE 0 END AS happened,
        date_diff('second', added_at, least(coalesce(happened_at, watched_to), watched_to)) / 86400 AS days
    FROM watched
),
cells AS (
    SELECT
        t.staff, t.store, t.door, t.before, t.component, spans.span,
        sum(greatest(least(t.days, spans.until_day) - spans.from_day, 0)) AS at_risk,
        sum(CASE
            WHEN t.happened = 1 AND t.days <= spans.until_day AND (t.days > spans.from_day OR spans.from_day = 0) THEN 1
            ELSE 0
        END) AS happened
    FROM timed AS t
    CROSS JOIN spans
    WHERE t.days > spans.from_day OR spans.from_day = 0
    GROUP BY t.staff, t.store, t.door, t.before, t.component, spans.span
),
hazards AS (
    SELECT door, before, component, span, ratio(sum(happened), sum(at_risk)) AS hazard
    FROM cells
    GROUP BY door, before, component, span
)
SELECT
    c.staff, c.store, c.component,
    sum(c.happened) AS observed, sum(c.at_risk * coalesce(h.hazard, 0)) AS expected
FROM cells AS c
JOIN hazards AS h ON h.door = c.door AND h.before = c.before AND h.component = c.component AND h.span = c.span
GROUP BY c.staff, c.store, c.component
ORDER BY c.staff, c.store, c.component
