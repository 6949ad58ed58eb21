-- The number of the warehouse's last migration.
SELECT max(version) AS version FROM schema_version
