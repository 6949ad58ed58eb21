-- 应用与权限 / Apps and what they may
-- ticked: it stands under 客户联系 → 可调用接口的应用. told: callbacks go to it. apis, members, trusted_ips: JSON lists, NULL
-- for all; apis by the beginnings of their names.
CREATE TABLE IF NOT EXISTS apps (
    agentid INTEGER PRIMARY KEY, name TEXT, secret TEXT, ticked INT DEFAULT 1, enabled INT DEFAULT 1,
    told INT DEFAULT 0, apis TEXT, members TEXT, trusted_ips TEXT);
