-- What the last turn of a mark wrote: who was told of for the first time, who went up, who went down.
SELECT
    count(*) FILTER (WHERE before IS NULL) AS told,
    count(*) FILTER (WHERE step > before) AS up,
    count(*) FILTER (WHERE step < before) AS down
FROM ladder_moves
WHERE turn > $after
