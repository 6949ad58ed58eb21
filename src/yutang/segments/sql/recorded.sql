-- Who (the survivor) was recorded as a member of a segment at the last look until an instant.
SELECT coalesce(merged.survivor, told.person) AS person
FROM segment_changes AS told
LEFT JOIN person_overrides AS merged ON merged.birth = told.person
WHERE told.segment = $segment AND told."at" <= $at
GROUP BY coalesce(merged.survivor, told.person)
HAVING sum(CASE WHEN told.entered THEN 1 ELSE -1 END) > 0
