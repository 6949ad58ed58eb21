-- The persons whom nothing reaches but what is gone (unit 0), the dearest first; `total` counts them all.
SELECT
    gone.person, coalesce(facts.home_node, profiles.home_store) AS store, coalesce(facts.synthetic, FALSE) AS synthetic,
    coalesce(profiles.orders_ever, 0) AS orders_ever, coalesce(profiles.spend_365d, 0) AS spend_365d,
    count(*) OVER () AS total
FROM (
    SELECT ways.person
    FROM ways
    JOIN units ON units.account = ways.account
    GROUP BY ways.person
    HAVING max(units.unit) = 0
) AS gone
JOIN facts ON facts.person = gone.person
LEFT JOIN profiles ON profiles.person = gone.person
WHERE ($sees_all OR gone.person IN (
    SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
))
AND ($store = 0 OR coalesce(facts.home_node, profiles.home_store, $nowhere) = $store)
AND ($bought = '' OR ($bought = 'yes') = (coalesce(profiles.orders_ever, 0) > 0))
ORDER BY spend_365d DESC, gone.person
LIMIT $most OFFSET $from_row
