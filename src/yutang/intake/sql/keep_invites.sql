-- Who brought whom, each told once: an event that stands here already changes nothing.
INSERT INTO invites BY NAME
SELECT told.event_id, told.person, told.inviter, told."at"
FROM told
WHERE NOT EXISTS (SELECT 1 FROM invites WHERE invites.event_id = told.event_id)
