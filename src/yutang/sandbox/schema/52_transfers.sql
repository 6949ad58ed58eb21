-- Inheritance of customers. kind: onjob, resigned. status: 1 done, 2 waiting, 3 refused, 4 the taker has too many.
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY, kind TEXT, handover TEXT COLLATE NOCASE, takeover TEXT COLLATE NOCASE,
    external_userid TEXT, at INT, due_at INT, status INT DEFAULT 2, done_at INT, message TEXT);
CREATE INDEX IF NOT EXISTS transfers_of_customer ON transfers (external_userid, at);
CREATE INDEX IF NOT EXISTS transfers_due ON transfers (due_at) WHERE status = 2;
-- Members who left, and what bears on taking over. most: how many customers a member may have (NULL: no matter).
CREATE TABLE IF NOT EXISTS transfer_members (
    userid TEXT PRIMARY KEY COLLATE NOCASE, left_at INT, verified INT DEFAULT 1, banned INT DEFAULT 0, most INT)
    WITHOUT ROWID;
