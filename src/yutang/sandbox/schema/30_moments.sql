-- 客户朋友圈 / Moments
-- A moment that software asks for is made by a job, which is answered for 24 h. `result`: what it came to, as JSON.
CREATE TABLE IF NOT EXISTS moment_jobs (
    jobid TEXT PRIMARY KEY, made_wall REAL, started_wall REAL, done_wall REAL, result TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moment_jobs_made ON moment_jobs (made_wall);
-- create_type: 0 the corp, 1 a member; visible_type: 0 some customers (those with one of `tags`), 1 all (doc 93333).
CREATE TABLE IF NOT EXISTS moments (
    moment_id TEXT PRIMARY KEY, create_time INT, create_type INT, creator TEXT COLLATE NOCASE, visible_type INT,
    tags TEXT, content TEXT, listed_wall REAL, ready_wall REAL, cancelled_at INT, deleted_at INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moments_by_time ON moments (create_time, moment_id);
-- What one member is asked to publish, and when that member will tap (NULL: never).
CREATE TABLE IF NOT EXISTS moment_members (
    moment_id TEXT, userid TEXT COLLATE NOCASE, tap_at INT, published_at INT,
    PRIMARY KEY (moment_id, userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moment_members_due ON moment_members (tap_at)
    WHERE published_at IS NULL AND tap_at IS NOT NULL;
-- For whom a member published it; `seen` is 0 where the customer had been shown enough of the corp's that month.
CREATE TABLE IF NOT EXISTS moment_views (
    moment_id TEXT, userid TEXT COLLATE NOCASE, external_userid TEXT, at INT, seen INT,
    PRIMARY KEY (moment_id, userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS moment_views_seen ON moment_views (external_userid, at) WHERE seen = 1;
-- Likes (kind 0) and comments (1), by customers or by the member; those still to come are there already.
CREATE TABLE IF NOT EXISTS moment_talk (
    moment_id TEXT, userid TEXT COLLATE NOCASE, kind INT, at INT, who TEXT, by_member INT,
    PRIMARY KEY (moment_id, userid, kind, at, who)) WITHOUT ROWID;
-- How many moments a member publishes by themselves each day, on average.
CREATE TABLE IF NOT EXISTS moment_habits (userid TEXT PRIMARY KEY COLLATE NOCASE, per_day REAL) WITHOUT ROWID;
