-- The warehouse's first tables. No primary keys and no unique indexes: what must happen once is kept by `unless` markers.
-- Every TIMESTAMP is naive UTC, every id BIGINT, every amount DECIMAL(18,2). No column holds PII.

-- One row is a fact. `person` is the person of birth (null if none); `props` is JSON without PII.
CREATE TABLE events (
    event_id VARCHAR, type VARCHAR, occurred_at TIMESTAMP, received_at TIMESTAMP,
    person BIGINT, store BIGINT, staff BIGINT, group_id BIGINT, source VARCHAR,
    plan BIGINT, batch BIGINT, channel VARCHAR, amount DECIMAL(18,2), currency VARCHAR,
    props VARCHAR, slice BIGINT, import_id BIGINT
);

-- One row is an order as it stands now.
CREATE TABLE orders (
    source VARCHAR, order_id VARCHAR, person BIGINT, store BIGINT,
    placed_at TIMESTAMP, placed_amount DECIMAL(18,2), corrected_amount DECIMAL(18,2), corrected_at TIMESTAMP,
    refunded_amount DECIMAL(18,2), cancelled_at TIMESTAMP, paid_at TIMESTAMP, lines_at TIMESTAMP,
    discount DECIMAL(18,2), net_amount DECIMAL(18,2), currency VARCHAR, synthetic BOOLEAN
);

-- One row is a line of an order.
CREATE TABLE order_lines (
    source VARCHAR, order_id VARCHAR, ordinal INTEGER, person BIGINT, store BIGINT,
    placed_at TIMESTAMP, revised_at TIMESTAMP, sku VARCHAR, category VARCHAR,
    quantity DECIMAL(18,3), amount DECIMAL(18,2), discount DECIMAL(18,2)
);

-- What the gate and the segments need of a person from the operational side; replaced by key.
CREATE TABLE facts (
    person BIGINT, home_node BIGINT, zone VARCHAR, bucket INTEGER, born_at TIMESTAMP,
    blocked BOOLEAN, silent BOOLEAN, risk INTEGER, synthetic BOOLEAN
);
CREATE TABLE fact_relations (
    person BIGINT, sender BIGINT, staff BIGINT, store BIGINT, channel VARCHAR,
    added_at TIMESTAMP, last_talk_at TIMESTAMP, live BOOLEAN
);
CREATE TABLE fact_consents (person BIGINT, purpose VARCHAR, channel VARCHAR, granted BOOLEAN, "at" TIMESTAMP);
CREATE TABLE fact_tags (person BIGINT, tag VARCHAR, "at" TIMESTAMP);
-- Every node, ancestors included, whose viewers see the person.
CREATE TABLE fact_scopes (person BIGINT, node BIGINT);
-- Birth person to surviving person, flattened.
CREATE TABLE person_overrides (birth BIGINT, survivor BIGINT);
CREATE TABLE nodes (node BIGINT, parent BIGINT, kind VARCHAR, code VARCHAR, zone VARCHAR, synthetic BOOLEAN);

-- The ledger: what the gate said of each touch, and what became of it.
CREATE TABLE decisions (
    touch BIGINT, run BIGINT, plan BIGINT, occasion VARCHAR, target_kind VARCHAR, person BIGINT, attempt INTEGER,
    touch_class VARCHAR, channel VARCHAR, value BOOLEAN, outcome VARCHAR, reason VARCHAR, sender BIGINT, store BIGINT,
    due_at TIMESTAMP, deadline TIMESTAMP, decided_at TIMESTAMP
);
-- `receipt_key` makes a receipt that arrives twice one receipt.
CREATE TABLE receipts (
    touch BIGINT, state VARCHAR, reason VARCHAR, "at" TIMESTAMP, recorded_at TIMESTAMP,
    batch BIGINT, sender BIGINT, receipt_key VARCHAR
);

CREATE TABLE segment_changes (
    segment VARCHAR, version INTEGER, person BIGINT, entered BOOLEAN, "at" TIMESTAMP, run BIGINT
);

-- Exactly-once markers.
CREATE TABLE slices (slice BIGINT, applied_at TIMESTAMP);
CREATE TABLE import_chunks (import_id BIGINT, chunk INTEGER, rows BIGINT, applied_at TIMESTAMP);
CREATE TABLE profile_state (name VARCHAR, value VARCHAR);

-- Words of our own, so that one SQL text serves both engines; `dialects.py` says them in ClickHouse's words.
-- The local day of a UTC instant.
CREATE MACRO day_in_zone(instant, zone) AS CAST(instant AT TIME ZONE 'UTC' AT TIME ZONE zone AS DATE);
-- The local wall time of a UTC instant.
CREATE MACRO local_in_zone(instant, zone) AS instant AT TIME ZONE 'UTC' AT TIME ZONE zone;
-- The UTC instant of a local wall time.
CREATE MACRO utc_of_local(wall, zone) AS wall AT TIME ZONE zone AT TIME ZONE 'UTC';
-- Floating-point division; null where the divisor is zero.
CREATE MACRO ratio(part, whole) AS CAST(part AS DOUBLE) / NULLIF(CAST(whole AS DOUBLE), 0);
