-- Per contact way: who came by it, who of them is still a friend, who first bought (`bought`) afterwards, and
-- what they spent.
WITH met AS (
    SELECT e.source, coalesce(o.survivor, e.person) AS person, min(e.occurred_at) AS joined_at
    FROM events AS e
    LEFT JOIN person_overrides AS o ON o.birth = e.person
    WHERE e.type IN ('relation.added', 'relation.half_added') AND e.person IS NOT NULL
      AND e.source IN (SELECT source FROM wanted)
    GROUP BY e.source, coalesce(o.survivor, e.person)
),
each AS (
    SELECT
        m.source, m.person,
        coalesce(sum(CASE WHEN b.placed_at >= m.joined_at THEN b.net_amount ELSE 0 END), 0) AS spent,
        max(CASE WHEN b.placed_at < m.joined_at THEN 1 ELSE 0 END) AS bought_before,
        max(CASE WHEN b.placed_at >= m.joined_at THEN 1 ELSE 0 END) AS bought_since
    FROM met AS m
    LEFT JOIN bought AS b ON b.person = m.person
    GROUP BY m.source, m.person
),
friends AS (SELECT DISTINCT person FROM fact_relations WHERE live)
SELECT
    e.source,
    count(*) AS joined,
    sum(CASE WHEN f.person IS NULL THEN 0 ELSE 1 END) AS kept,
    sum(CASE WHEN e.bought_before = 0 AND e.bought_since = 1 THEN 1 ELSE 0 END) AS firsts,
    sum(e.spent) AS spent,
    sum(CAST(e.spent AS DOUBLE) * CAST(e.spent AS DOUBLE)) AS squares
FROM each AS e
LEFT JOIN friends AS f ON f.person = e.person
GROUP BY e.source
