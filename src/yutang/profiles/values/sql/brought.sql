-- Who brought whom by $as_of, as they are now, the earliest first.
SELECT coalesce(newer.survivor, invites.person) AS person, coalesce(older.survivor, invites.inviter) AS inviter
FROM invites
LEFT JOIN person_overrides AS newer ON newer.birth = invites.person
LEFT JOIN person_overrides AS older ON older.birth = invites.inviter
WHERE invites."at" <= $as_of
ORDER BY invites."at", invites.event_id
