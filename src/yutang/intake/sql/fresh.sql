-- The incoming events that are not in the log yet: a second arrival (same id, same time) changes nothing.
CREATE TEMP TABLE fresh AS
SELECT incoming.* FROM incoming
WHERE NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.occurred_at BETWEEN $earliest AND $latest
        AND events.occurred_at = incoming.occurred_at AND events.event_id = incoming.event_id
)
