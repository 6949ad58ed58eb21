-- Touches that expired under a number whose survivor was taken up instead: the plan's counts leave them out, and would
-- not any more once nothing says that the two were one person.
DELETE FROM decisions
WHERE EXISTS (
    SELECT 1
    FROM person_overrides o
    JOIN decisions later ON later.person = o.survivor
    WHERE o.birth = decisions.person AND later.plan = decisions.plan AND later.occasion = decisions.occasion
      AND later.attempt > decisions.attempt
)
AND person IN (SELECT person FROM births)
AND touch IN (SELECT r.touch FROM receipts r WHERE r.state = 'expired')
