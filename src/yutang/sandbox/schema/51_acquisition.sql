-- Acquisition links (获客链接); users and departments are JSON lists.
CREATE TABLE IF NOT EXISTS acquisition_links (
    link_id TEXT PRIMARY KEY, name TEXT, users TEXT, departments TEXT, skip_verify INT, priority_type INT,
    priority_users TEXT, mark_source INT, created_at INT, deleted_at INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acquisition_customers (
    link_id TEXT, external_userid TEXT, userid TEXT COLLATE NOCASE, state TEXT, at INT, messages INT DEFAULT 0,
    PRIMARY KEY (link_id, external_userid, userid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acquisition_clicks (link_id TEXT, external_userid TEXT, at INT);
CREATE INDEX IF NOT EXISTS acquisition_clicks_of ON acquisition_clicks (link_id, at);
-- What was bought, and what is left of it until it expires.
CREATE TABLE IF NOT EXISTS acquisition_quota (
    id INTEGER PRIMARY KEY, bought INT, rest INT, expires_at INT);
-- Keys by which software may ask of a chat, for half an hour.
CREATE TABLE IF NOT EXISTS acquisition_chats (
    chat_key TEXT PRIMARY KEY, link_id TEXT, external_userid TEXT, userid TEXT, until_wall REAL) WITHOUT ROWID;
