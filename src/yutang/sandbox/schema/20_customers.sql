-- 客户资料 / What is known of customers
-- What the platform knows of a customer beside the name. openid and unionid follow from the id where nothing is said.
CREATE TABLE IF NOT EXISTS contacts (
    external_userid TEXT PRIMARY KEY, type INT DEFAULT 1, gender INT DEFAULT 0, unionid TEXT, avatar TEXT,
    position TEXT, corp_name TEXT, corp_full_name TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contacts_by_unionid ON contacts (unionid) WHERE unionid IS NOT NULL;
-- What a member wrote about a customer, and by which door the customer came. `personal`: the member's own tags.
CREATE TABLE IF NOT EXISTS remarks (
    userid TEXT COLLATE NOCASE, external_userid TEXT, remark TEXT, description TEXT, company TEXT, mobiles TEXT,
    add_way INT, oper_userid TEXT, personal TEXT, PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
-- Members without an interconnect licence: the platform tells nothing of their customers.
CREATE TABLE IF NOT EXISTS unlicensed (userid TEXT PRIMARY KEY COLLATE NOCASE) WITHOUT ROWID;
