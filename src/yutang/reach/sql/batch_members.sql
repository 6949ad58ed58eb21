-- The persons that the ledger decided to send to in the wanted batches' places, in the one order from which batches are cut.
SELECT d.run, d.sender, d.due_at, d.deadline, d.touch, d.person, coalesce(o.survivor, d.person) AS survivor
FROM decisions d
LEFT JOIN person_overrides o ON o.birth = d.person
SEMI JOIN wanted w ON w.run = d.run AND w.sender = d.sender AND w.due_at = d.due_at AND w.deadline = d.deadline
WHERE d.outcome = 'send'
ORDER BY d.run, d.sender, d.due_at, d.deadline, d.touch
