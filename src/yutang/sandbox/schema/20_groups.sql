-- 客户群 / Customer groups
-- Customer groups. `shown` is what the detail said before its last change, and still says until `fresh_wall`; `version`
-- counts changes of membership. `handed`: 2 being inherited until `handed_wall`, then 3 (WeCom doc 92120).
CREATE TABLE IF NOT EXISTS chats (
    chat_id TEXT PRIMARY KEY, name TEXT, owner TEXT COLLATE NOCASE, created_at INT, notice TEXT, admins TEXT,
    version INT DEFAULT 1, shown TEXT, fresh_wall REAL DEFAULT 0, handed INT DEFAULT 0, handed_wall REAL DEFAULT 0,
    dismissed_at INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chats_of_owner ON chats (owner);
-- Everybody who is or was in a group. kind: 1 a member of the corp, 2 anybody else. scene: 1 invited, 2 by an invitation
-- link, 3 by a QR code.
CREATE TABLE IF NOT EXISTS chat_members (
    chat_id TEXT, member TEXT, kind INT, joined_at INT, scene INT, inviter TEXT, state TEXT, nickname TEXT,
    left_at INT, PRIMARY KEY (chat_id, member)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chats_of_member ON chat_members (member);
CREATE TABLE IF NOT EXISTS chat_talk (chat_id TEXT, member TEXT, at INT, messages INT);
CREATE INDEX IF NOT EXISTS talk_of_chat ON chat_talk (chat_id, at);
-- What was said between one member and one customer; `minutes` until the member's first reply, NULL: none came.
CREATE TABLE IF NOT EXISTS talks (
    userid TEXT COLLATE NOCASE, external_userid TEXT, at INT, messages INT, minutes REAL);
CREATE INDEX IF NOT EXISTS talks_of_member ON talks (userid, at);
-- Who has left the corp.
CREATE VIEW IF NOT EXISTS departures AS SELECT userid FROM profiles WHERE status = 5 OR deleted;
CREATE TABLE IF NOT EXISTS chat_transfers (chat_id TEXT, new_owner TEXT COLLATE NOCASE, at INT, on_job INT);
CREATE INDEX IF NOT EXISTS transfers_of_chat ON chat_transfers (chat_id, at);
CREATE INDEX IF NOT EXISTS transfers_of_owner ON chat_transfers (new_owner, at);
-- `made`: how many groups were created by itself, one after another, once all in `chats` were full.
CREATE TABLE IF NOT EXISTS join_ways (
    config_id TEXT PRIMARY KEY, scene INT, remark TEXT, auto_create INT, base_name TEXT, base_id INT, chats TEXT,
    state TEXT, mark_source INT, made INT DEFAULT 0, deleted_at INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS group_welcomes (template_id TEXT PRIMARY KEY, content TEXT) WITHOUT ROWID;
