-- How many events of a type there are, and how many of them happened before an instant.
SELECT count(*) AS events, count(*) FILTER (WHERE occurred_at < $before) AS due FROM events WHERE type = $type
