-- By which app a thing was made, where only that app may change it; without a row: by the first app.
CREATE TABLE IF NOT EXISTS owned (kind TEXT, id TEXT, app INT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
