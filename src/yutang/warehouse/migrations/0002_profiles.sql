-- What is known of each surviving person at the instant kept in profile_state; see profiles/traits.py for the meanings.
CREATE TABLE profiles (
    person BIGINT,
    orders_30d INTEGER, orders_90d INTEGER, orders_365d INTEGER, orders_ever INTEGER,
    spend_30d DECIMAL(18,2), spend_90d DECIMAL(18,2), spend_365d DECIMAL(18,2), spend_ever DECIMAL(18,2),
    visit_days_30d INTEGER, visit_days_90d INTEGER, visit_days_365d INTEGER, visit_days_ever INTEGER,
    categories_30d INTEGER, categories_90d INTEGER, categories_365d INTEGER, categories_ever INTEGER,
    discount_90d DECIMAL(18,2), discount_365d DECIMAL(18,2),
    first_order_at TIMESTAMP, last_order_at TIMESTAMP, first_visit_day DATE, last_visit_day DATE,
    median_gap_days DOUBLE, home_store BIGINT,
    recency_score INTEGER, frequency_score INTEGER, monetary_score INTEGER,
    next_edge_at TIMESTAMP
);

-- Work of one refresh, empty between refreshes: whose rows are replaced, and their birth persons.
CREATE TABLE profile_touched (person BIGINT);
CREATE TABLE profile_work (birth BIGINT, person BIGINT);

-- What the last refresh had seen.
CREATE TABLE profile_slices (slice BIGINT);
CREATE TABLE profile_chunks (import_id BIGINT, chunk INTEGER);
CREATE TABLE profile_overrides (birth BIGINT, survivor BIGINT);
