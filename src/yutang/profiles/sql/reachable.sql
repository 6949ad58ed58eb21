-- Persons whom marketing may reach through a friend of theirs (`people/ways`).
SELECT DISTINCT person FROM fact_ways WHERE friend
