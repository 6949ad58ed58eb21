-- How a person wants to be spoken to: one row per thing said. `kind` and `name`: topic × name, channel × name (refused,
-- `*`: all of them), cap × week|month, hours × opens|closes (minutes of the person's local day).
CREATE TABLE fact_preferences (person BIGINT, kind VARCHAR, name VARCHAR, value INTEGER);
