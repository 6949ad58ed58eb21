-- The brand's own traits, one row per person and trait, at the instant at which profiles stand; replaced by key.
-- A trait's value stands in the one of four columns that its type asks for. Who has no row has none of it.
CREATE TABLE profile_more (
    person BIGINT, trait VARCHAR, number DOUBLE, amount DECIMAL(18,2), text VARCHAR, "at" TIMESTAMP,
    next_edge_at TIMESTAMP
);

-- Work of one refresh, empty between refreshes: of which kind of rows whose traits are replaced, and their births.
CREATE TABLE profile_more_touched (kind VARCHAR, person BIGINT);
CREATE TABLE profile_more_work (kind VARCHAR, birth BIGINT, person BIGINT);

-- The receipts of touches sent that profiles have seen. Kept as a set: receipts come in any order.
CREATE TABLE profile_touches (touch BIGINT, receipt_key VARCHAR);
