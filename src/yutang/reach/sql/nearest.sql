-- Who speaks to each person: the accounts of their home store, or of the nearest node above it that has any. Of several
-- at one place each has an equal part of the people, and two more may be asked after the first (`turn`, from 0). Home is
-- where they were put, or else where they bought most.
WITH homes AS (
    SELECT r.person, r.space, coalesce(f.home_node, p.home_store, $nowhere) AS home
    FROM reached r
    LEFT JOIN facts f ON f.person = r.person
    LEFT JOIN profiles p ON p.person = r.person
),
ranked AS (
    SELECT h.person, n.sender, n.store, (n.place + h.person) % n.places AS turn
    FROM homes h
    JOIN near n ON n.home = h.home AND n.space = h.space
)
SELECT person, sender, store, turn
FROM ranked
WHERE turn < 3
ORDER BY person, turn, sender
