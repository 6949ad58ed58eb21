-- 临时会话 / Temporary chats
-- A chat by a temporary way: no friendship. It ends at until_at, when it is closed, or with the world; `said` is what the
-- customer was then sent.
CREATE TABLE IF NOT EXISTS temp_chats (
    userid TEXT COLLATE NOCASE, external_userid TEXT, config_id TEXT, until_at INT, closed_at INT, said TEXT,
    PRIMARY KEY (userid, external_userid, config_id)) WITHOUT ROWID;
