-- Touches that expired under a number whose survivor was taken up instead: the plan's counts leave them out, and would
-- not any more once nothing says that the two were one person.
DELETE FROM decisions
WHERE touch IN (
    SELECT d.touch
    FROM decisions d
    JOIN person_overrides o ON o.birth = d.person
    JOIN decisions later ON later.person = o.survivor AND later.plan = d.plan AND later.occasion = d.occasion
    WHERE later.attempt > d.attempt
)
AND person IN (SELECT person FROM births)
AND touch IN (SELECT r.touch FROM receipts r WHERE r.state = 'expired')
