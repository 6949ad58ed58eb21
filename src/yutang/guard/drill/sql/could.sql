-- Who could be reached on each channel that nothing is connected to: an address, and consent.
SELECT DISTINCT ways.channel, ways.person
FROM ways
ORDER BY ways.channel, ways.person
