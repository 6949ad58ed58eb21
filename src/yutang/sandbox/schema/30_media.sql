-- 素材 / Files
-- Files that were uploaded; the bytes stand beside this file, in media/, by `file` (the hash of what they are).
-- purpose: media (usable in messages), moments, album, by_url. kind: image, voice, video, file.
CREATE TABLE IF NOT EXISTS media (
    media_id TEXT PRIMARY KEY, purpose TEXT, kind TEXT, name TEXT, file TEXT, created_wall REAL) WITHOUT ROWID;
-- Pictures with an address of their own, for ever.
CREATE TABLE IF NOT EXISTS pictures (id TEXT PRIMARY KEY, file TEXT, created_wall REAL) WITHOUT ROWID;
-- Files that the platform fetches itself. status: 1 under way, 2 done, 3 failed.
CREATE TABLE IF NOT EXISTS fetches (
    jobid TEXT PRIMARY KEY, kind TEXT, name TEXT, url TEXT, md5 TEXT, status INT, errcode INT, media_id TEXT,
    created_wall REAL) WITHOUT ROWID;
