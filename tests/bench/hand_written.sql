-- The ten segments of segments.yaml as an analyst would write them in one pass, for this instant and this store list.
WITH told AS (
    SELECT
        coalesce(o.survivor, e.person) AS person,
        count(*) FILTER (WHERE type = 'campaign.targeted' AND occurred_at > $as_of - INTERVAL 90 DAY) AS targeted,
        count(*) FILTER (WHERE type = 'message.sent' AND channel = 'wecom' AND occurred_at > $as_of - INTERVAL 30 DAY) AS messages,
        count(*) FILTER (
            WHERE type = 'coupon.redeemed' AND source = 'mall' AND occurred_at > $as_of - INTERVAL 60 DAY
                AND json_extract_string(props, '$.campaign') IN ('c1', 'c2', 'c3')
        ) AS redeemed
    FROM events AS e
    LEFT JOIN person_overrides AS o ON o.birth = e.person
    WHERE type IN ('campaign.targeted', 'message.sent', 'coupon.redeemed')
        AND occurred_at <= $as_of AND occurred_at > $as_of - INTERVAL 90 DAY
    GROUP BY ALL
),
goods AS (
    SELECT
        coalesce(o.survivor, orders.person) AS person,
        count(DISTINCT (orders.source, orders.order_id)) FILTER (WHERE category IN ('category 3', 'category 4', 'category 5')) AS family,
        count(*) FILTER (WHERE category = 'category 3' AND orders.placed_at > $as_of - INTERVAL 180 DAY) AS diapers,
        count(*) FILTER (WHERE category = 'category 9') AS wipes,
        sum(amount) FILTER (
            WHERE category IN ('category 1', 'category 2') AND orders.placed_at > $as_of - INTERVAL 365 DAY
        ) AS spend
    FROM order_lines AS l
    JOIN orders ON orders.source = l.source AND orders.order_id = l.order_id AND orders.lines_at = l.revised_at
    LEFT JOIN person_overrides AS o ON o.birth = orders.person
    WHERE cancelled_at IS NULL AND orders.placed_at <= $as_of
        AND category IN ('category 1', 'category 2', 'category 3', 'category 4', 'category 5', 'category 9')
    GROUP BY ALL
),
consented AS (
    SELECT person, bool_or(granted) AS granted FROM fact_consents
    WHERE purpose = 'marketing' AND channel = 'wecom' GROUP BY person
),
reachable AS (
    SELECT DISTINCT person FROM fact_relations JOIN facts USING (person) JOIN consented USING (person)
    WHERE live AND granted AND NOT blocked AND NOT silent AND channel = 'wecom'
),
tagged AS (SELECT DISTINCT person FROM fact_tags WHERE tag IN ('tag 1', 'tag 2')),
north AS (SELECT DISTINCT person FROM fact_scopes WHERE node = 11),
each AS (
    SELECT
        orders_ever >= 12 AND today - last_visit_day >= 14 AND today - last_visit_day > 2 * median_gap_days AS overdue,
        orders_90d >= 5 AND spend_90d >= 300 AS super_users,
        family >= 3 AS family,
        diapers > 0 AND coalesce(wipes, 0) = 0 AS no_wipes,
        targeted >= 2 AND orders_30d = 0 AS lukewarm,
        redeemed > 0 AS redeemers,
        coalesce(messages >= 3, FALSE) AS tired,
        reachable.person IS NOT NULL AND orders_ever > 0 AND last_order_at <= $as_of - INTERVAL 90 DAY
            AND first_order_at <= $as_of - INTERVAL 30 DAY AS asleep,
        tagged.person IS NOT NULL AND north.person IS NOT NULL AS vip_north,
        goods.spend >= 50 AND granted AS worth_it
    FROM profiles
    CROSS JOIN (SELECT day_in_zone($as_of, $zone) AS today)
    LEFT JOIN told USING (person)
    LEFT JOIN goods USING (person)
    LEFT JOIN consented USING (person)
    LEFT JOIN reachable USING (person)
    LEFT JOIN tagged USING (person)
    LEFT JOIN north USING (person)
)
SELECT
    count(*) FILTER (WHERE overdue) AS overdue,
    count(*) FILTER (WHERE super_users) AS super_users,
    count(*) FILTER (WHERE family) AS family,
    count(*) FILTER (WHERE no_wipes) AS no_wipes,
    count(*) FILTER (WHERE lukewarm) AS lukewarm,
    count(*) FILTER (WHERE redeemers) AS redeemers,
    count(*) FILTER (WHERE tired) AS tired,
    count(*) FILTER (WHERE asleep) AS asleep,
    count(*) FILTER (WHERE vip_north) AS vip_north,
    count(*) FILTER (WHERE (coalesce(overdue, FALSE) OR asleep) AND NOT tired AND worth_it) AS wake_up
FROM each
