-- Touches that were handed out, wait for a tap, and are of persons who have refused since: who asked to be left in peace,
-- were blocked, withdrew their consent, or want no more of the topic or the channel. Friendships need no look: the
-- platform sends nothing to whom it shows as nobody's friend.
WITH waiting AS (
    SELECT
        d.run, d.sender, d.due_at, d.deadline, d.touch, coalesce(o.survivor, d.person) AS person,
        w.purpose, w.channel, w.topic
    FROM decisions d
    JOIN wanted w ON w.run = d.run
    LEFT JOIN person_overrides o ON o.birth = d.person
    WHERE d.outcome = 'send' AND d.deadline > $now AND d.due_at <= $now
      AND NOT EXISTS (
          SELECT 1 FROM receipts r
          WHERE r.touch = d.touch AND r.state IN ('sent', 'failed', 'expired', 'suppressed')
      )
),
-- what was said of the channel itself decides, and of all channels where nothing was said of this one
agreed AS (
    SELECT w.touch, coalesce(bool_and(c.granted) FILTER (WHERE c.channel = w.channel), bool_and(c.granted)) AS consent
    FROM waiting w
    JOIN fact_consents c ON c.person = w.person
    WHERE c.purpose = w.purpose AND c.channel IN (w.channel, '*')
    GROUP BY w.touch
),
wishes AS (
    SELECT DISTINCT w.touch
    FROM waiting w
    JOIN fact_preferences p ON p.person = w.person
    WHERE (p.kind = 'topic' AND p.name IN (w.topic, '*')) OR (p.kind = 'channel' AND p.name IN (w.channel, '*'))
)
SELECT w.run, w.sender, w.due_at, w.deadline, w.touch
FROM waiting w
LEFT JOIN facts f ON f.person = w.person
LEFT JOIN agreed a ON a.touch = w.touch
LEFT JOIN wishes x ON x.touch = w.touch
WHERE coalesce(f.silent, FALSE) OR coalesce(f.blocked, FALSE) OR NOT coalesce(a.consent, TRUE) OR x.touch IS NOT NULL
ORDER BY w.touch
