-- Some events of a type that happened before an instant, the oldest first.
SELECT event_id FROM events WHERE type = $type AND occurred_at < $before ORDER BY occurred_at, event_id LIMIT $limit
