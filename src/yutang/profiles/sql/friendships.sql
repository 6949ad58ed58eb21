-- Every friendship of a person with a member of staff: from when to when, who ended it, whether it was handed over.
-- Of the staff in `posts`, and of persons of whom something was said since $since; but then all that was ever said.
-- One row is one time of being friends: two accounts of one person with the same guide are one friendship, which lasts
-- until the last of them ends. Who was lost before anything was said of an addition has no added_at.
WITH concerned AS (
    SELECT coalesce(merged.survivor, e.person) AS person
    FROM events AS e
    JOIN posts ON posts.staff = e.staff
    LEFT JOIN person_overrides AS merged ON merged.birth = e.person
    WHERE e.type IN ('relation.added', 'relation.lost') AND e.occurred_at >= $since AND e.person IS NOT NULL
    UNION
    SELECT r.person FROM fact_relations AS r JOIN posts ON posts.staff = r.staff WHERE r.added_at >= $since
),
births AS (
    SELECT person AS birth, person FROM concerned
    UNION
    SELECT merged.birth, merged.survivor AS person
    FROM person_overrides AS merged
    JOIN concerned ON concerned.person = merged.survivor
),
said AS (
    SELECT
        e.person AS birth, births.person, e.staff, e.store, e.source, e.occurred_at,
        CASE WHEN e.type = 'relation.added' THEN 1 ELSE 0 END AS added,
        coalesce(json_extract_string(e.props, '$.by'), '') AS said_by
    FROM events AS e
    JOIN births ON births.birth = e.person
    WHERE e.type IN ('relation.added', 'relation.lost') AND e.staff IS NOT NULL
),
pairs AS (SELECT person, staff, max(added) AS begun, min(added) AS lasted FROM said GROUP BY person, staff),
-- A list, or a demo, told of a friendship without an event.
listed AS (
    SELECT
        r.person AS birth, r.person, r.staff, r.store, '' AS source, r.added_at AS occurred_at, 1 AS added, '' AS said_by
    FROM fact_relations AS r
    JOIN concerned ON concerned.person = r.person
    LEFT JOIN pairs ON pairs.person = r.person AND pairs.staff = r.staff
    WHERE r.added_at IS NOT NULL AND coalesce(pairs.begun, 0) = 0 AND (r.live OR pairs.lasted = 0)
),
every AS (
    SELECT
        CASE WHEN pairs.begun = 1 THEN said.birth ELSE said.person END AS birth,
        said.person, said.staff, said.store, said.source, said.occurred_at, said.added, said.said_by
    FROM said
    JOIN pairs ON pairs.person = said.person AND pairs.staff = said.staff
    UNION ALL
    SELECT birth, person, staff, store, source, occurred_at, added, said_by FROM listed
),
-- A word that says what was so already changes nothing. (nullif: ClickHouse says 0 or '' where there is no neighbour,
-- unless the column can be null.)
heard AS (
    SELECT
        every.*,
        lag(nullif(added, 2)) OVER (PARTITION BY birth, staff ORDER BY occurred_at, added DESC) AS added_before
    FROM every
),
turned AS (SELECT * FROM heard WHERE added_before IS NULL OR added_before <> added),
counted AS (
    SELECT
        turned.*,
        sum(CASE WHEN added = 1 THEN 1 ELSE -1 END) OVER (
            PARTITION BY person, staff ORDER BY occurred_at, added DESC, birth
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS standing
    FROM turned
    WHERE added = 1 OR added_before IS NOT NULL
),
edges AS (SELECT * FROM counted WHERE (added = 1 AND standing = 1) OR (added = 0 AND standing = 0)),
followed AS (
    SELECT
        edges.*,
        lead(occurred_at) OVER (PARTITION BY person, staff ORDER BY occurred_at, added DESC) AS next_at,
        lead(nullif(said_by, 'nobody')) OVER (PARTITION BY person, staff ORDER BY occurred_at, added DESC) AS next_by
    FROM edges
),
spells AS (
    SELECT
        person, staff, store, source, occurred_at AS added_at, next_at AS lost_at, next_by AS lost_by,
        said_by AS added_by
    FROM followed
    WHERE added = 1
    UNION ALL
    SELECT
        person, staff, store, source, CAST(NULL AS TIMESTAMP) AS added_at, occurred_at AS lost_at, said_by AS lost_by,
        '' AS added_by
    FROM turned
    WHERE added = 0 AND added_before IS NULL
),
-- Who was handed over: told at either end, or at one of them within three days of the other.
takings AS (
    SELECT DISTINCT took.person, took.staff, took.added_at
    FROM spells AS took
    JOIN spells AS gave ON gave.person = took.person
    WHERE gave.lost_by = 'transfer' AND gave.staff <> took.staff
      AND took.added_at >= gave.lost_at - INTERVAL 3 DAY AND took.added_at <= gave.lost_at + INTERVAL 3 DAY
),
givings AS (
    SELECT DISTINCT gave.person, gave.staff, gave.lost_at
    FROM spells AS gave
    JOIN spells AS took ON took.person = gave.person
    WHERE took.added_by = 'transfer' AND gave.lost_by <> 'customer' AND gave.staff <> took.staff
      AND took.added_at >= gave.lost_at - INTERVAL 3 DAY AND took.added_at <= gave.lost_at + INTERVAL 3 DAY
)
SELECT
    spells.person, spells.staff, coalesce(spells.store, posts.store) AS store, spells.source,
    spells.added_at, spells.lost_at, spells.lost_by,
    spells.added_by = 'transfer' OR takings.person IS NOT NULL AS handed_in,
    coalesce(spells.lost_by = 'transfer', FALSE) OR givings.person IS NOT NULL AS handed_on,
    row_number() OVER (PARTITION BY spells.person, spells.staff ORDER BY coalesce(spells.added_at, spells.lost_at)) AS spell
FROM spells
JOIN posts ON posts.staff = spells.staff
LEFT JOIN takings
    ON takings.person = spells.person AND takings.staff = spells.staff AND takings.added_at = spells.added_at
LEFT JOIN givings ON givings.person = spells.person AND givings.staff = spells.staff AND givings.lost_at = spells.lost_at
