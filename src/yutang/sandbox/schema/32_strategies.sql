-- 规则组 / Rule groups
-- Rule groups of customer contact (kind `customer`) and of Moments (`moment`). parent_id 0: the first level.
CREATE TABLE IF NOT EXISTS strategies (
    strategy_id INTEGER PRIMARY KEY, kind TEXT, parent_id INT, name TEXT, create_time INT, admins TEXT,
    privilege TEXT);
-- What a group manages: type 1 a member, 2 a department.
CREATE TABLE IF NOT EXISTS strategy_nodes (
    strategy_id INT, type INT, node TEXT, PRIMARY KEY (strategy_id, type, node)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS strategy_tag_groups (
    group_id TEXT PRIMARY KEY, strategy_id INT, name TEXT, create_time INT, place INT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS strategy_tags (
    tag_id TEXT PRIMARY KEY, group_id TEXT, name TEXT, create_time INT, place INT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS strategy_tags_of_group ON strategy_tags (group_id);
