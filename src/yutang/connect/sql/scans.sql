-- Per contact way: how often its page was opened.
SELECT source, count(*) AS scans FROM events
WHERE type = 'way.scanned' AND source IN (SELECT source FROM wanted)
GROUP BY source
