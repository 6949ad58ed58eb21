-- The persons that the runs decided to send to, in the one order from which batches are cut.
SELECT d.run, d.sender, d.due_at, d.deadline, d.touch, d.person, coalesce(o.survivor, d.person) AS survivor
FROM decisions d
LEFT JOIN person_overrides o ON o.birth = d.person
SEMI JOIN wanted w ON w.run = d.run
WHERE d.outcome = 'send'
ORDER BY d.run, d.sender, d.due_at, d.deadline, d.touch
