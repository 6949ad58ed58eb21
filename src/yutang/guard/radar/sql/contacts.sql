-- Contacts that take up room at the platform for nothing, one row each with its account, and how many there are in all:
-- `deleted` (the customer deleted the member, who must delete them too), `blocked`, `zombie` (a friend since before $old
-- who bought nothing after $bought, and was not heard of after $heard).
WITH heard AS (
    SELECT DISTINCT coalesce(o.survivor, e.person) AS person
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type IN ('message.received', 'message.written') AND e.occurred_at > $heard AND e.person IS NOT NULL
),
ended AS (
    SELECT coalesce(o.survivor, e.person) AS person, e.staff AS staff, json_extract_string(e.props, '$.by') AS by
    FROM events e
    LEFT JOIN person_overrides o ON o.birth = e.person
    WHERE e.type = 'relation.lost' AND e.person IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY coalesce(o.survivor, e.person), e.staff ORDER BY e.occurred_at DESC, e.event_id
    ) = 1
),
marked AS (
    SELECT
        r.person AS person, r.sender AS sender, r.added_at AS added_at, p.last_order_at AS last_order_at,
        CASE
            WHEN NOT r.live THEN CASE WHEN coalesce(n.by, 'customer') = 'customer' THEN 'deleted' END
            WHEN f.blocked THEN 'blocked'
            WHEN r.added_at < $old AND coalesce(p.last_order_at, r.added_at) < $bought AND h.person IS NULL
                AND coalesce(r.last_talk_at, r.added_at) < $heard THEN 'zombie'
        END AS reason
    FROM fact_relations r
    JOIN facts f ON f.person = r.person
    LEFT JOIN profiles p ON p.person = r.person
    LEFT JOIN heard h ON h.person = r.person
    LEFT JOIN ended n ON n.person = r.person AND n.staff = r.staff
    WHERE r.channel = 'wecom' AND r.added_at IS NOT NULL
)
SELECT person, sender, added_at, last_order_at, reason, count(*) OVER () AS total
FROM marked
WHERE reason IS NOT NULL AND ($reason = '' OR reason = $reason)
ORDER BY reason, coalesce(last_order_at, added_at), person, sender
LIMIT $limit OFFSET $offset
