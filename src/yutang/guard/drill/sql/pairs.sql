-- Who is reached by which accounts, each once, with where they live (0: nowhere) and what they are worth.
SELECT DISTINCT
    ways.person, ways.account, coalesce(facts.home_node, profiles.home_store, 0) AS store,
    coalesce(facts.synthetic, FALSE) AS synthetic, coalesce(profiles.orders_ever, 0) AS orders_ever,
    CAST(coalesce(profiles.spend_365d, 0) AS DOUBLE) AS spend_365d
FROM ways
JOIN facts ON facts.person = ways.person
LEFT JOIN profiles ON profiles.person = ways.person
ORDER BY ways.person, ways.account
