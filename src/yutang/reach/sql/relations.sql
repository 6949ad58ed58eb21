-- The live friendships of an audience on one channel.
SELECT r.person, r.sender, r.store, r.added_at, r.last_talk_at
FROM fact_relations r
SEMI JOIN audience a ON a.person = r.person
WHERE r.live AND r.channel = $channel
ORDER BY r.person
