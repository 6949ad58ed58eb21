-- 成员、客户、群发与活码 / Members, customers, mass sends, contact ways
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires_wall REAL, revoked INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
    userid TEXT PRIMARY KEY COLLATE NOCASE, name TEXT, habit TEXT, offgate_per_day REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS customers (
    external_userid TEXT PRIMARY KEY, name TEXT, member_no TEXT, daily_rate REAL, basket_mu REAL, basket_sigma REAL,
    store_code TEXT, category_weights TEXT, lift REAL, discount REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relations (
    userid TEXT COLLATE NOCASE, external_userid TEXT, added_at INT, last_talk_at INT,
    customer_deleted_at INT, member_deleted_at INT, PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relations_of_customer ON relations (external_userid);
-- Relations that calls see now: a customer who deleted the member stays visible (WeCom doc 90313).
CREATE VIEW IF NOT EXISTS visible AS SELECT * FROM relations
    WHERE added_at <= (SELECT value FROM settings WHERE name = 'now')
    AND (member_deleted_at IS NULL OR member_deleted_at > (SELECT value FROM settings WHERE name = 'now'));
-- Friendships through which a message arrives now.
CREATE VIEW IF NOT EXISTS friends AS SELECT * FROM visible
    WHERE customer_deleted_at IS NULL OR customer_deleted_at > (SELECT value FROM settings WHERE name = 'now');
CREATE TABLE IF NOT EXISTS tasks (
    msgid TEXT PRIMARY KEY, chat_type TEXT, create_time INT, create_type INT, creator TEXT COLLATE NOCASE,
    content TEXT, ready_wall REAL, cancelled_at INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tasks_by_time ON tasks (create_time, msgid);
-- One row: what one member is asked to confirm of one task, and when that member will tap (NULL: never).
CREATE TABLE IF NOT EXISTS member_tasks (
    msgid TEXT, userid TEXT COLLATE NOCASE, habit TEXT, tap_at INT, tapped_at INT,
    PRIMARY KEY (msgid, userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_tasks_due ON member_tasks (tap_at) WHERE tapped_at IS NULL AND tap_at IS NOT NULL;
-- status: 0 unsent, 1 sent, 2 not a friend, 3 cap reached (WeCom doc 93338).
CREATE TABLE IF NOT EXISTS recipients (
    msgid TEXT, userid TEXT COLLATE NOCASE, external_userid TEXT, status INT, send_time INT,
    PRIMARY KEY (msgid, userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received ON recipients (external_userid, send_time) WHERE status = 1;
CREATE TABLE IF NOT EXISTS reminders (msgid TEXT, at INT);
CREATE INDEX IF NOT EXISTS reminders_of_task ON reminders (msgid, at);
-- Customers who came by themselves, by scanning a member's code; those not yet posted are part of the outbox.
CREATE TABLE IF NOT EXISTS arrivals (
    external_userid TEXT PRIMARY KEY, userid TEXT, at INT, consents INT, posted INT DEFAULT 0) WITHOUT ROWID;
-- Purchases are kept for ever; those not yet posted are the outbox. kind: 0 baseline, 1 extra (a message's effect).
CREATE TABLE IF NOT EXISTS purchases (
    id TEXT PRIMARY KEY, external_userid TEXT, day INT, k INT, kind INT, occurred_at INT, cents INT,
    posted INT DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox ON purchases (occurred_at, id) WHERE posted = 0;
-- Contact ways; `state` comes back with everyone who scans one.
CREATE TABLE IF NOT EXISTS ways (
    config_id TEXT PRIMARY KEY, type INT, scene INT, remark TEXT, skip_verify INT, state TEXT, users TEXT,
    created_at INT, deleted_at INT) WITHOUT ROWID;
-- By which door a friendship came.
CREATE TABLE IF NOT EXISTS doors (
    userid TEXT COLLATE NOCASE, external_userid TEXT, state TEXT, PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
-- One welcome may be sent for each scan, by its code, until a wall second.
CREATE TABLE IF NOT EXISTS welcomes (
    code TEXT PRIMARY KEY, userid TEXT, external_userid TEXT, until_wall REAL, sent_wall REAL, content TEXT)
    WITHOUT ROWID;
-- What the corp's server is to be told of; kept after it was.
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY, body TEXT, posts INT DEFAULT 0, next_wall REAL, done INT DEFAULT 0);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (next_wall, id) WHERE done = 0;
CREATE INDEX IF NOT EXISTS purchases_of_customer ON purchases (external_userid, occurred_at);
