-- Every campaign that events tell of: its first and last local day, and how many persons whom the viewer may see.
SELECT
    json_extract_string(e.props, '$.campaign') AS campaign,
    min(day_in_zone(e.occurred_at, $zone)) AS first_day,
    max(json_extract_string(e.props, '$.last_day')) AS last_day,
    count(DISTINCT coalesce(merged.survivor, e.person)) AS targeted
FROM events e
LEFT JOIN person_overrides AS merged ON merged.birth = e.person
WHERE e.type = 'campaign.targeted' AND e.person IS NOT NULL
  AND ($sees_all OR coalesce(merged.survivor, e.person) IN (
      SELECT fact_scopes.person FROM fact_scopes JOIN seen ON seen.node = fact_scopes.node
  ))
GROUP BY 1
ORDER BY 1
