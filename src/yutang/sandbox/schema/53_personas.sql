-- 对外名片 / What customers see of a member beside the name; without a row: nothing of it. `profile` is external_profile.
CREATE TABLE IF NOT EXISTS personas (
    userid TEXT PRIMARY KEY COLLATE NOCASE, avatar TEXT, qr_code TEXT, external_position TEXT, profile TEXT)
    WITHOUT ROWID;
