-- 企业标签 / Tags
-- Corp tags and their groups; `own`: made by this app, which alone it may change. Gone ones are deleted.
CREATE TABLE IF NOT EXISTS tag_groups (
    group_id TEXT PRIMARY KEY, name TEXT, sort INT, created_at INT, own INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
    tag_id TEXT PRIMARY KEY, group_id TEXT, name TEXT, sort INT, created_at INT, own INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of_group ON tags (group_id, name);
CREATE TABLE IF NOT EXISTS marks (
    userid TEXT COLLATE NOCASE, external_userid TEXT, tag_id TEXT,
    PRIMARY KEY (userid, external_userid, tag_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_of_tag ON marks (tag_id);
CREATE TABLE IF NOT EXISTS tag_numbers (number INTEGER PRIMARY KEY AUTOINCREMENT);
