-- Of the persons whom what is gone (unit 0) reaches: by home store and other way (units from 1), and who has no other.
SELECT each.store, each.unit, count(*) AS persons, count(*) FILTER (WHERE each.units = 1) AS alone
FROM (
    SELECT
        known.person, known.store, known.unit,
        count(*) OVER (PARTITION BY known.person) AS units,
        min(known.unit) OVER (PARTITION BY known.person) AS first
    FROM (
        SELECT DISTINCT ways.person, units.unit, coalesce(facts.home_node, profiles.home_store) AS store
        FROM ways
        JOIN units ON units.account = ways.account
        JOIN facts ON facts.person = ways.person
        LEFT JOIN profiles ON profiles.person = ways.person
        WHERE $sees_all OR ways.person IN (
            SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
        )
    ) AS known
) AS each
WHERE each.first = 0
GROUP BY each.store, each.unit
ORDER BY each.store, each.unit
