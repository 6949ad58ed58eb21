-- Whom these guides might contact today: each person once, by whoever talked with them last, for the first reason that
-- fits (`places`: the order of the document's reasons, 0 for one that it does not name); the best of each guide first,
-- `line` of them. `value` is a chance times what a visit of theirs comes to: it ranks, and is no promise.
WITH friends AS (
    SELECT
        r.person, r.sender, r.store, r.added_at, r.last_talk_at,
        row_number() OVER (PARTITION BY r.person ORDER BY r.last_talk_at DESC NULLS LAST, r.added_at, r.sender) AS nth
    FROM fact_relations r
    WHERE r.live AND r.channel = $channel
),
rested AS (
    SELECT DISTINCT coalesce(o.survivor, d.person) AS person
    FROM decisions d
    SEMI JOIN committed c ON c.run = d.run
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.plan = $plan AND d.outcome <> 'suppressed' AND d.decided_at > $rested_since
    UNION
    SELECT coalesce(o.survivor, t.person) AS person FROM tired t LEFT JOIN person_overrides o ON o.birth = t.person
),
hers AS (
    SELECT
        f.person, f.sender, f.store, f.added_at, f.last_talk_at,
        coalesce(p.orders_ever, 0) AS orders,
        date_diff('day', p.last_visit_day, $today) AS days,
        p.median_gap_days AS usual,
        coalesce(p.monetary_score, 0) AS score,
        date_diff('day', day_in_zone(f.added_at, $zone), $today) AS friend_days,
        CAST(p.spend_ever AS DOUBLE) / nullif(p.visit_days_ever, 0) AS basket
    FROM friends f
    SEMI JOIN guides g ON g.sender = f.sender
    LEFT JOIN profiles p ON p.person = f.person
    WHERE f.nth = 1 AND f.person NOT IN (SELECT person FROM rested)
),
fitting AS (
    SELECT
        *,
        $lapsed_super_place > 0 AND orders >= $lapsed_super_orders AND score >= $lapsed_super_score
            AND days BETWEEN $lapsed_super_from AND $lapsed_super_to AS lapsed_super,
        $overdue_place > 0 AND orders >= $overdue_orders AND days > $overdue_from * usual AND days <= $overdue_to * usual
            AS overdue,
        $due_soon_place > 0 AND orders >= $due_soon_orders AND days BETWEEN $due_soon_from * usual AND $due_soon_to * usual
            AS due_soon,
        $no_word_place > 0 AND orders = 0 AND last_talk_at IS NULL
            AND friend_days BETWEEN $no_word_from AND $no_word_to AS no_word
    FROM hers
),
chosen AS (
    SELECT
        *,
        least(
            CASE WHEN lapsed_super THEN $lapsed_super_place ELSE 99 END, CASE WHEN overdue THEN $overdue_place ELSE 99 END,
            CASE WHEN due_soon THEN $due_soon_place ELSE 99 END, CASE WHEN no_word THEN $no_word_place ELSE 99 END
        ) AS place
    FROM fitting
    WHERE lapsed_super OR overdue OR due_soon OR no_word
),
valued AS (
    SELECT
        c.person, c.sender, c.store, c.added_at, c.last_talk_at, c.place, c.orders, c.days, c.usual, c.friend_days,
        w.chance * coalesce(c.basket, (SELECT avg(basket) FROM hers), 1.0) AS value
    FROM chosen c
    JOIN chances w ON w.place = c.place
)
SELECT person, sender, store, added_at, last_talk_at, place, orders, days, usual, friend_days, value
FROM (
    SELECT *, row_number() OVER (PARTITION BY sender ORDER BY value DESC, person) AS nth FROM valued
) ranked
WHERE nth <= $line
ORDER BY person
