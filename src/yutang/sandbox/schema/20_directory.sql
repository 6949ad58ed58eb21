-- 通讯录 / Directory
-- Departments beside the root, which is always there (id 1, named as the corp).
CREATE TABLE IF NOT EXISTS departments (
    id INTEGER PRIMARY KEY, parentid INT, name TEXT, name_en TEXT, place INT);
-- What the directory says of a member. Without a row: active, at the root. status: 1 active, 2 disabled, 4 not
-- activated, 5 left; `deleted`: an administrator removed them, and nobody sees them any more.
CREATE TABLE IF NOT EXISTS profiles (
    userid TEXT PRIMARY KEY COLLATE NOCASE, status INT, position TEXT, alias TEXT, gender INT, mobile TEXT, email TEXT,
    direct_leader TEXT COLLATE NOCASE, deleted INT DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS profiles_by_mobile ON profiles (mobile) WHERE mobile <> '';
CREATE TABLE IF NOT EXISTS placements (
    userid TEXT COLLATE NOCASE, department INT, place INT, leads INT, PRIMARY KEY (userid, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS placements_of_department ON placements (department, userid);
CREATE VIEW IF NOT EXISTS staff AS SELECT m.userid, m.name, coalesce(p.status, 1) AS status,
    coalesce(p.position, '') AS position, coalesce(p.alias, '') AS alias, coalesce(p.gender, 0) AS gender,
    coalesce(p.mobile, '') AS mobile, coalesce(p.email, '') AS email, coalesce(p.direct_leader, '') AS direct_leader
    FROM members m LEFT JOIN profiles p ON p.userid = m.userid WHERE coalesce(p.deleted, 0) = 0;
CREATE VIEW IF NOT EXISTS placed AS SELECT userid, department, place, leads FROM placements
    UNION ALL SELECT userid, 1, 0, 0 FROM members m
    WHERE NOT EXISTS (SELECT 1 FROM placements p WHERE p.userid = m.userid);
-- Tickets of the JS-SDK: the corp's (wx.config) and the app's (wx.agentConfig).
CREATE TABLE IF NOT EXISTS tickets (kind TEXT, ticket TEXT PRIMARY KEY, expires_wall REAL) WITHOUT ROWID;
-- What a browser was sent back with: one exchange, five minutes. userid NULL: somebody from outside the corp.
CREATE TABLE IF NOT EXISTS oauth_codes (
    code TEXT PRIMARY KEY, userid TEXT, external_userid TEXT, private INT, until_wall REAL, used INT DEFAULT 0)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS user_tickets (ticket TEXT PRIMARY KEY, userid TEXT, until_wall REAL) WITHOUT ROWID;
-- How often something happened in a span (a number of the span's own: the hour, the day, the month).
CREATE TABLE IF NOT EXISTS counted (what TEXT, span INT, times INT, PRIMARY KEY (what, span)) WITHOUT ROWID;
