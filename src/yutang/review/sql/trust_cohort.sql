-- The friends that each guide won since $since: her own gains, each person once, never whom she was handed or regained.
SELECT person, staff, store, source, added_at, lost_at, handed_on
FROM friendships
WHERE spell = 1 AND NOT handed_in AND added_at >= $since AND added_at < $now
