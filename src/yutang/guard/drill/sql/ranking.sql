-- Of every unit (`units`: an account's): how many persons it reaches, and how many of them nothing else reaches.
SELECT each.unit, count(*) AS reached, count(*) FILTER (WHERE each.units = 1) AS lost
FROM (
    SELECT known.person, known.unit, count(*) OVER (PARTITION BY known.person) AS units
    FROM (
        SELECT DISTINCT ways.person, units.unit
        FROM ways
        JOIN units ON units.account = ways.account
        WHERE $sees_all OR ways.person IN (
            SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
        )
    ) AS known
) AS each
GROUP BY each.unit
ORDER BY lost DESC, reached DESC, each.unit
