-- Whom these campaigns targeted, each under the person they are today.
SELECT DISTINCT json_extract_string(e.props, '$.campaign') AS campaign, coalesce(merged.survivor, e.person) AS person
FROM events e
LEFT JOIN person_overrides AS merged ON merged.birth = e.person
WHERE e.type = 'campaign.targeted' AND e.person IS NOT NULL
  AND json_extract_string(e.props, '$.campaign') IN (SELECT campaign FROM wanted)
