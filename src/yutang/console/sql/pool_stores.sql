-- The pond by home store (where somebody buys most often, else where they were assigned): heads, ways, activity, spend.
-- `reachable` is put beside it: profiles/reachable.
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
