"""The pond by hand: three queries, each narrowed to a viewer, that say what the pond in columns must."""

from __future__ import annotations

WAYS = """
-- Everybody in the viewer's scope by whether they bought, whether they are invented, and how they can be reached.
SELECT bought, synthetic, way, count(*) AS persons
FROM reachability
WHERE $sees_all OR person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
"""
POOL_STEPS = """
-- Who took which step of the pond, by invented or real: bought, bought again, bought of a category not in the first
-- order, brought somebody. `seconds` and `inviters` are put below it: layers.flow.
-- `_now` counts steps taken in the 30 days to $as_of, `_then` in the 30 days before those.
WITH first_shelves AS (
    SELECT profiles.person, count(DISTINCT lines.category) AS categories
    FROM order_lines AS lines
    LEFT JOIN person_overrides AS merged ON merged.birth = lines.person
    JOIN profiles ON profiles.person = coalesce(merged.survivor, lines.person)
    WHERE lines.placed_at = profiles.first_order_at
    GROUP BY profiles.person
)
SELECT
    coalesce(facts.synthetic, FALSE) AS synthetic,
    count(profiles.first_order_at) AS customers,
    count(*) FILTER (WHERE profiles.first_order_at > $from_30) AS customers_now,
    count(*) FILTER (
        WHERE profiles.first_order_at > $from_60 AND profiles.first_order_at <= $from_30
    ) AS customers_then,
    count(seconds.second_at) AS repeat,
    count(*) FILTER (WHERE seconds.second_at > $from_30) AS repeat_now,
    count(*) FILTER (WHERE seconds.second_at > $from_60 AND seconds.second_at <= $from_30) AS repeat_then,
    count(*) FILTER (
        WHERE seconds.second_at IS NOT NULL AND profiles.categories_ever > coalesce(first_shelves.categories, 0)
    ) AS widened,
    count(inviters.brought_at) FILTER (
        WHERE seconds.second_at IS NOT NULL AND profiles.categories_ever > coalesce(first_shelves.categories, 0)
    ) AS brought,
    count(*) FILTER (
        WHERE facts.born_at <= $from_90 AND (profiles.first_order_at IS NULL OR profiles.first_order_at > $from_90)
    ) AS prospects_then,
    count(*) FILTER (WHERE facts.born_at <= $from_90 AND profiles.first_order_at > $from_90) AS prospects_bought
FROM facts
LEFT JOIN profiles ON profiles.person = facts.person
LEFT JOIN seconds ON seconds.person = facts.person
LEFT JOIN first_shelves ON first_shelves.person = facts.person
LEFT JOIN inviters ON inviters.person = facts.person
WHERE $sees_all OR facts.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
)
GROUP BY 1
ORDER BY 1
"""
POOL_STORES = """
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
"""
