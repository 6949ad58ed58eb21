-- Everyone whose row may differ because of what was told of orders since. Of events only those matter.
INSERT INTO profile_touched
WITH fresh AS (
    SELECT person, source, json_extract_string(props, '$.order_id') AS order_id FROM events
    WHERE type LIKE 'order.%' AND slice IN (
        SELECT s.slice FROM slices AS s WHERE NOT EXISTS (SELECT 1 FROM profile_slices AS p WHERE p.slice = s.slice)
    )
    UNION ALL
    SELECT person, source, json_extract_string(props, '$.order_id') AS order_id FROM events
    WHERE type LIKE 'order.%' AND import_id IN (
        SELECT c.import_id FROM import_chunks AS c
        WHERE NOT EXISTS (SELECT 1 FROM profile_chunks AS p WHERE p.import_id = c.import_id AND p.chunk = c.chunk)
    )
),
births AS (
    SELECT person FROM fresh
    UNION ALL
    -- An event may name another identifier than its order does.
    SELECT orders.person FROM orders
    JOIN fresh ON fresh.source = orders.source AND fresh.order_id = orders.order_id
    UNION ALL
    -- Whose an order was taken to be before is who its earlier events were of.
    SELECT told.person FROM events AS told
    JOIN (
        SELECT DISTINCT orders.source, orders.order_id FROM orders
        JOIN fresh ON fresh.source = orders.source AND fresh.order_id = orders.order_id
        WHERE orders.strayed
    ) AS moved ON moved.source = told.source AND moved.order_id = json_extract_string(told.props, '$.order_id')
    WHERE told.type LIKE 'order.%'
)
SELECT DISTINCT coalesce(o.survivor, births.person) AS person FROM births
LEFT JOIN person_overrides AS o ON o.birth = births.person
WHERE births.person IS NOT NULL
