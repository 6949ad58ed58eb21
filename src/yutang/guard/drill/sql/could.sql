-- How many of the persons lost could be reached on each channel that nothing is connected to: an address, and consent.
SELECT ways.channel, count(DISTINCT ways.person) AS persons
FROM ways
JOIN lost ON lost.person = ways.person
GROUP BY ways.channel
ORDER BY ways.channel
