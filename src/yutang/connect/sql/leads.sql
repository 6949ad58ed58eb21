-- The leads that a viewer may see, newest first: who, whence, at what cost, when they first became a friend and first
-- bought (`bought`) afterwards, and what they spent since.
WITH lead AS (
    SELECT
        e.event_id, e.occurred_at, e.source, coalesce(o.survivor, e.person) AS person,
        json_extract_string(e.props, '$.form') AS form,
        json_extract_string(e.props, '$.campaign') AS campaign,
        json_extract_string(e.props, '$.cost') AS cost
    FROM events AS e
    LEFT JOIN person_overrides AS o ON o.birth = e.person
    WHERE e.type = 'lead.submitted' AND e.person IS NOT NULL
),
seen_lead AS (
    SELECT * FROM lead
    WHERE $sees_all OR person IN (SELECT s.person FROM fact_scopes AS s JOIN seen ON seen.node = s.node)
),
first_lead AS (SELECT person, min(occurred_at) AS at FROM seen_lead GROUP BY person),
since AS (
    SELECT
        f.person,
        min(CASE WHEN b.placed_at >= f.at THEN b.placed_at END) AS first_order_at,
        max(CASE WHEN b.placed_at < f.at THEN 1 ELSE 0 END) AS bought_before,
        coalesce(sum(CASE WHEN b.placed_at >= f.at THEN b.net_amount ELSE 0 END), 0) AS spent
    FROM first_lead AS f
    JOIN bought AS b ON b.person = f.person
    GROUP BY f.person
),
friends AS (SELECT DISTINCT person FROM fact_relations WHERE live)
SELECT
    l.event_id, l.occurred_at, l.source, l.person, l.form, l.campaign, l.cost,
    CASE WHEN f.person IS NULL THEN 0 ELSE 1 END AS friend,
    coalesce(s.bought_before, 0) AS bought_before, s.first_order_at, coalesce(s.spent, 0) AS spent
FROM seen_lead AS l
LEFT JOIN since AS s ON s.person = l.person
LEFT JOIN friends AS f ON f.person = l.person
ORDER BY l.occurred_at DESC, l.event_id
