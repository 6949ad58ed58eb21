-- The channels by which marketing may reach each person: `friend` through one of ours, else at an address; `wanted`: they did not refuse what comes there.
WITH refused AS (
    SELECT DISTINCT person, CASE WHEN kind = 'topic' THEN '*' ELSE name END AS channel
    FROM fact_preferences
    WHERE kind = 'channel' OR (kind = 'topic' AND name = '*')
)
SELECT
    ways.person, ways.channel, bool_or(ways.friend) AS friend,
    bool_and(here.person IS NULL AND everywhere.person IS NULL) AS wanted
FROM ways
LEFT JOIN refused AS here ON here.person = ways.person AND here.channel = ways.channel
LEFT JOIN refused AS everywhere ON everywhere.person = ways.person AND everywhere.channel = '*'
GROUP BY ways.person, ways.channel
