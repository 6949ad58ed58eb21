-- How many entered and how many left a segment in one run.
SELECT
    coalesce(sum(CASE WHEN entered THEN 1 ELSE 0 END), 0) AS entered,
    coalesce(sum(CASE WHEN entered THEN 0 ELSE 1 END), 0) AS gone
FROM segment_changes
WHERE segment = $segment AND run = $run
