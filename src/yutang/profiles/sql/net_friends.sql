-- 净增好友: per member of staff, the friendships that began and ended in [since, until). Handed over is neither.
SELECT
    staff,
    count(*) FILTER (WHERE added_at >= $since AND added_at < $until AND NOT handed_in) AS added,
    count(*) FILTER (WHERE lost_at >= $since AND lost_at < $until AND NOT handed_on) AS lost,
    count(*) FILTER (WHERE lost_at >= $since AND lost_at < $until AND NOT handed_on AND lost_by = 'customer') AS left_us,
    count(*) FILTER (WHERE added_at >= $since AND added_at < $until AND handed_in) AS handed_in,
    count(*) FILTER (WHERE lost_at >= $since AND lost_at < $until AND handed_on) AS handed_on
FROM friendships
GROUP BY staff
ORDER BY staff
