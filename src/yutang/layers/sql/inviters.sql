-- When each person first brought somebody, by $as_of. A newcomer was brought by who did so first, and by nobody else.
SELECT brought.inviter AS person, min(brought.joined_at) AS brought_at
FROM (
    SELECT
        coalesce(older.survivor, invites.inviter) AS inviter, invites."at" AS joined_at,
        row_number() OVER (
            PARTITION BY coalesce(newer.survivor, invites.person) ORDER BY invites."at", invites.event_id
        ) AS place
    FROM invites
    LEFT JOIN person_overrides AS newer ON newer.birth = invites.person
    LEFT JOIN person_overrides AS older ON older.birth = invites.inviter
    WHERE invites."at" <= $as_of
        AND coalesce(newer.survivor, invites.person) <> coalesce(older.survivor, invites.inviter)
) AS brought
WHERE brought.place = 1
GROUP BY brought.inviter
