-- 商品图册与敏感词 / Album and interception
-- Goods that members can send from the album; a deleted one is still told apart from one that never was.
CREATE TABLE IF NOT EXISTS products (
    product_id TEXT PRIMARY KEY, description TEXT, price INT, product_sn TEXT, pictures TEXT, create_time INT,
    deleted_at INT) WITHOUT ROWID;
-- Words that members are warned of, or kept from sending, in chats.
CREATE TABLE IF NOT EXISTS intercept_rules (
    rule_id TEXT PRIMARY KEY, name TEXT, words TEXT, semantics TEXT, type INT, users TEXT, parties TEXT,
    create_time INT, deleted_at INT) WITHOUT ROWID;
