-- 会话存档 / Session archive
-- Members whose chats are archived, by the edition they were bought for (1 office, 2 service, 3 enterprise).
CREATE TABLE IF NOT EXISTS archived_members (userid TEXT PRIMARY KEY COLLATE NOCASE, edition INT) WITHOUT ROWID;
-- What a customer said of it to one member; who said nothing has agreed by going on (Default_Agree).
CREATE TABLE IF NOT EXISTS archive_answers (
    userid TEXT COLLATE NOCASE, external_userid TEXT, agrees INT, at INT,
    PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
-- Rooms of members among themselves, and what customers in a customer group said.
CREATE TABLE IF NOT EXISTS inner_rooms (
    roomid TEXT PRIMARY KEY, name TEXT, creator TEXT, create_time INT, notice TEXT, members TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS room_answers (
    roomid TEXT, external_userid TEXT, agrees INT, at INT, PRIMARY KEY (roomid, external_userid)) WITHOUT ROWID;
-- What was said, as the archive will tell it; `seq` is its place. The library that reads it is not part of the sandbox.
CREATE TABLE IF NOT EXISTS said (seq INTEGER PRIMARY KEY AUTOINCREMENT, msgid TEXT UNIQUE, at INT, body TEXT);
