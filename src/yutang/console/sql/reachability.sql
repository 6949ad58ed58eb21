-- Everybody, with whether they bought, whether they are invented, and how they can be reached.
-- A channel's own consent row decides; where there is none the `*` row does.
WITH friends AS (
    SELECT
        relation.person, bool_or(relation.live) AS live,
        bool_or(relation.live AND coalesce(own.granted, general.granted, FALSE)) AS consented,
        bool_or(relation.live AND coalesce(own.granted, general.granted) IS NULL) AS unasked
    FROM fact_relations AS relation
    LEFT JOIN fact_consents AS own
        ON own.person = relation.person AND own.purpose = 'marketing' AND own.channel = relation.channel
    LEFT JOIN fact_consents AS general
        ON general.person = relation.person AND general.purpose = 'marketing' AND general.channel = '*'
    GROUP BY relation.person
)
SELECT
    facts.person,
    coalesce(profiles.orders_ever, 0) > 0 AS bought,
    coalesce(facts.synthetic, FALSE) AS synthetic,
    CASE
        WHEN facts.blocked THEN 'blocked'
        WHEN friends.person IS NULL THEN 'never_friend'
        WHEN NOT friends.live THEN 'lost'
        WHEN facts.silent THEN 'silent'
        WHEN friends.consented THEN 'reachable'
        WHEN friends.unasked THEN 'unasked'
        ELSE 'refused'
    END AS way
FROM facts
LEFT JOIN profiles ON profiles.person = facts.person
LEFT JOIN friends ON friends.person = facts.person
