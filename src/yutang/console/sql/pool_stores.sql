-- The pond by home store (where somebody buys most often, else where they were assigned): heads, ways, activity, spend.
WITH reachable AS (
    SELECT DISTINCT relation.person
    FROM fact_relations AS relation
    JOIN facts AS known ON known.person = relation.person
    LEFT JOIN fact_consents AS own
        ON own.person = relation.person AND own.purpose = 'marketing' AND own.channel = relation.channel
    LEFT JOIN fact_consents AS general
        ON general.person = relation.person AND general.purpose = 'marketing' AND general.channel = '*'
    WHERE relation.live AND coalesce(own.granted, general.granted, FALSE)
        AND NOT coalesce(known.blocked, FALSE) AND NOT coalesce(known.silent, FALSE)
)
SELECT
    coalesce(profiles.home_store, facts.home_node) AS store,
    count(*) FILTER (WHERE profiles.orders_ever > 0) AS customers,
    count(*) FILTER (WHERE coalesce(profiles.orders_ever, 0) = 0) AS prospects,
    count(*) FILTER (WHERE profiles.orders_ever > 0 AND reachable.person IS NOT NULL) AS reachable,
    count(*) FILTER (WHERE profiles.orders_ever > 1) AS repeat,
    count(*) FILTER (WHERE profiles.orders_90d > 0) AS active,
    coalesce(sum(profiles.spend_90d), 0) AS spend
FROM facts
LEFT JOIN profiles ON profiles.person = facts.person
LEFT JOIN reachable ON reachable.person = facts.person
WHERE $sees_all OR facts.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
)
GROUP BY 1
ORDER BY 1
