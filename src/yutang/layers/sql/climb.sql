-- Who of `standing` stands on another step than the last turn told of them. The first word of a person has no `before`.
INSERT INTO ladder_moves
WITH told AS (SELECT person, arg_max(step, turn) AS step FROM ladder_moves GROUP BY person)
SELECT
    standing.person, standing.step, told.step AS before, $at,
    (SELECT coalesce(max(turn), 0) + 1 FROM ladder_moves) AS turn
FROM standing
LEFT JOIN told ON told.person = standing.person
WHERE told.step IS NULL OR told.step <> standing.step
