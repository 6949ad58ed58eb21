-- WeChat customer service (微信客服): accounts, who serves, what was said, in which state each conversation is.
CREATE TABLE IF NOT EXISTS kf_accounts (
    open_kfid TEXT PRIMARY KEY, name TEXT, media_id TEXT, created_at INT, deleted_at INT) WITHOUT ROWID;
-- A servicer is a member, or (userid '') a whole department. status: 0 serving, 1 not (stop_type 0 off, 1 on hold).
CREATE TABLE IF NOT EXISTS kf_servicers (
    open_kfid TEXT, userid TEXT COLLATE NOCASE, department_id INT, status INT DEFAULT 0, stop_type INT DEFAULT 0,
    PRIMARY KEY (open_kfid, userid, department_id)) WITHOUT ROWID;
-- What sync_msg tells, in order. `about`: to which conversation it belongs, for the figures of a day.
CREATE TABLE IF NOT EXISTS kf_log (
    seq INTEGER PRIMARY KEY, open_kfid TEXT, msgid TEXT, external_userid TEXT, at INT, origin INT,
    servicer TEXT COLLATE NOCASE, msgtype TEXT, content TEXT, about INT);
CREATE INDEX IF NOT EXISTS kf_log_of_account ON kf_log (open_kfid, seq);
-- One conversation of a customer with an account; `number` counts them. sent: messages since the customer last spoke.
CREATE TABLE IF NOT EXISTS kf_sessions (
    open_kfid TEXT, external_userid TEXT, number INT, state INT, servicer TEXT COLLATE NOCASE, spoke_at INT,
    sent INT DEFAULT 0, welcomed_at INT, scene TEXT, scene_param TEXT, entered_at INT, rejects INT DEFAULT 0,
    PRIMARY KEY (open_kfid, external_userid)) WITHOUT ROWID;
-- What the corp's software sent; an id is good once in an account.
CREATE TABLE IF NOT EXISTS kf_sent (
    open_kfid TEXT, msgid TEXT, external_userid TEXT, at INT, content TEXT, fail_type INT, about INT,
    PRIMARY KEY (open_kfid, msgid)) WITHOUT ROWID;
-- Codes for one message at one event; `state`: the conversation must still be in it (NULL: in any).
CREATE TABLE IF NOT EXISTS kf_codes (
    code TEXT PRIMARY KEY, open_kfid TEXT, external_userid TEXT, menus INT, state INT, until_wall REAL, until INT,
    used INT DEFAULT 0) WITHOUT ROWID;
-- Tokens of callbacks, and how often sync_msg was asked without one.
CREATE TABLE IF NOT EXISTS kf_tokens (token TEXT PRIMARY KEY, open_kfid TEXT, until_wall REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kf_tokenless (open_kfid TEXT, minute INT, calls INT, PRIMARY KEY (open_kfid, minute))
    WITHOUT ROWID;
