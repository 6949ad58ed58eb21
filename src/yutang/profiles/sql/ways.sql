-- On which channels marketing may reach whom and is not refused: a column a channel.
SELECT
    person,
    bool_or(channel = 'wecom') AS wecom,
    bool_or(channel = 'sms') AS sms,
    bool_or(channel = 'email') AS email
FROM fact_ways
WHERE wanted
GROUP BY person
