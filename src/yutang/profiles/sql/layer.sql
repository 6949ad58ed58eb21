-- On which step of the ladder each person stands: where the last turn that told of them put them.
SELECT person, arg_max(step, turn) AS step FROM ladder_moves GROUP BY person
