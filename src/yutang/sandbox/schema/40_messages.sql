-- 应用消息 / Messages of the app
-- What the app and the groups' robots said. `digest`: of the content and its recipients, for the check of doubles.
CREATE TABLE IF NOT EXISTS app_messages (
    msgid TEXT PRIMARY KEY, at INT, msgtype TEXT, content TEXT, digest TEXT, recalled_at INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS app_messages_by_digest ON app_messages (digest, at);
-- Whom it reached: what was beyond a cap is not here, and nobody says so. `shown`: what a card was changed into.
CREATE TABLE IF NOT EXISTS app_received (
    msgid TEXT, userid TEXT COLLATE NOCASE, at INT, shown TEXT, PRIMARY KEY (msgid, userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS app_received_by_member ON app_received (userid, at);
CREATE INDEX IF NOT EXISTS app_received_by_time ON app_received (at);
-- By each code a card may be changed once. userid NULL: for all who got it; otherwise by who pressed a button.
CREATE TABLE IF NOT EXISTS card_codes (
    code TEXT PRIMARY KEY, msgid TEXT, userid TEXT COLLATE NOCASE, until INT, used INT DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS card_tasks (task_id TEXT PRIMARY KEY, msgid TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS robots (key TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS robot_messages (id INTEGER PRIMARY KEY, key TEXT, at INT, content TEXT);
CREATE TABLE IF NOT EXISTS launch_codes (code TEXT PRIMARY KEY, userid TEXT, partner TEXT, until_wall REAL) WITHOUT ROWID;
