-- Of what staff sent on their own (`said`): when each last spoke to each person, wrote into a group of theirs and
-- published where they could see it, and when they last did so to one held out, or over a cap.
SELECT
    staff, person,
    max(CASE WHEN kind = 'mass' THEN occurred_at END) AS mass,
    max(CASE WHEN kind = 'group' THEN occurred_at END) AS into_groups,
    max(CASE WHEN kind = 'moments' THEN occurred_at END) AS moments,
    max(CASE WHEN held THEN occurred_at END) AS held_out,
    max(CASE WHEN beyond THEN occurred_at END) AS over_cap
FROM said
GROUP BY staff, person
ORDER BY person, staff
