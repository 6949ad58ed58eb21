-- The fresh events, into the log.
INSERT INTO events BY NAME
SELECT
    event_id, type, occurred_at, received_at, person, store, staff, CAST(NULL AS BIGINT) AS group_id, source,
    plan, batch, channel, amount, currency, props, $slice AS slice, $import_id AS import_id
FROM fresh
