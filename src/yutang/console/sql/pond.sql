-- Everybody, with how they can be reached, where they are at home (where they buy most often, else where they were
-- assigned), what they spent in hundredths, and which step of the pond they took: bought, bought again, bought of a
-- category not in the first order, brought somebody. `_now`: in the 30 days to $as_of; `_then`: in the 30 before those.
-- `reachability` is put beside it (console/reachability), `seconds` and `inviters` below it (layers.flow).
WITH first_shelves AS (
    SELECT profiles.person, count(DISTINCT lines.category) AS categories
    FROM order_lines AS lines
    LEFT JOIN person_overrides AS merged ON merged.birth = lines.person
    JOIN profiles ON profiles.person = coalesce(merged.survivor, lines.person)
    WHERE lines.placed_at = profiles.first_order_at
    GROUP BY profiles.person
)
SELECT
    facts.person, reachability.bought, reachability.synthetic, reachability.way,
    coalesce(profiles.home_store, facts.home_node, -1) AS store,
    coalesce(CAST(profiles.spend_90d * 100 AS BIGINT), 0) AS spend,
    coalesce(profiles.orders_ever > 1, FALSE) AS twice,
    coalesce(profiles.orders_90d > 0, FALSE) AS active,
    profiles.first_order_at IS NOT NULL AS customers,
    coalesce(profiles.first_order_at > $from_30, FALSE) AS customers_now,
    coalesce(profiles.first_order_at > $from_60 AND profiles.first_order_at <= $from_30, FALSE) AS customers_then,
    seconds.second_at IS NOT NULL AS repeat,
    coalesce(seconds.second_at > $from_30, FALSE) AS repeat_now,
    coalesce(seconds.second_at > $from_60 AND seconds.second_at <= $from_30, FALSE) AS repeat_then,
    coalesce(
        seconds.second_at IS NOT NULL AND profiles.categories_ever > coalesce(first_shelves.categories, 0), FALSE
    ) AS widened,
    coalesce(
        inviters.brought_at IS NOT NULL AND seconds.second_at IS NOT NULL
        AND profiles.categories_ever > coalesce(first_shelves.categories, 0), FALSE
    ) AS brought,
    coalesce(
        facts.born_at <= $from_90 AND (profiles.first_order_at IS NULL OR profiles.first_order_at > $from_90), FALSE
    ) AS prospects_then,
    coalesce(facts.born_at <= $from_90 AND profiles.first_order_at > $from_90, FALSE) AS prospects_bought
FROM facts
JOIN reachability ON reachability.person = facts.person
LEFT JOIN profiles ON profiles.person = facts.person
LEFT JOIN seconds ON seconds.person = facts.person
LEFT JOIN first_shelves ON first_shelves.person = facts.person
LEFT JOIN inviters ON inviters.person = facts.person
ORDER BY facts.person
