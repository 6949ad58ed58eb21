-- Make room for the rows that are computed anew: of those touched, for each kind of rows.
DELETE FROM profile_more
WHERE EXISTS (
    SELECT 1 FROM profile_more_touched AS t
    JOIN asked_traits AS a ON a.kind = t.kind
    WHERE t.person = profile_more.person AND a.trait = profile_more.trait
)
