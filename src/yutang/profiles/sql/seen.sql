-- The persons of `profiles` who are seen from one of the nodes of `seen`.
SELECT person FROM profiles
WHERE person IN (SELECT person FROM fact_scopes WHERE node IN (SELECT node FROM seen))
