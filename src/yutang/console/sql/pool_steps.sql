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
    count(*) FILTER (WHERE profiles.first_order_at > $from_60 AND profiles.first_order_at <= $from_30) AS customers_then,
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
