-- What the gate decided of a person, and every receipt of it.
SELECT
    d.plan, d.occasion, d.attempt, d.touch_class, d.channel, d.outcome, d.reason, d.decided_at, d.due_at, d.deadline,
    r.state, r.reason AS state_reason, r."at" AS state_at
FROM decisions d
SEMI JOIN births b ON b.person = d.person
LEFT JOIN receipts r ON r.touch = d.touch
ORDER BY d.decided_at, d.plan, d.occasion, d.attempt, r."at"
