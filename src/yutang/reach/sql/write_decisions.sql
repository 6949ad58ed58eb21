-- Append one run's decisions.
INSERT INTO decisions
SELECT touch, run, plan, occasion, 'person', person, attempt, touch_class, channel, value, outcome, reason, sender,
       store, due_at, deadline, decided_at
FROM new_decisions
