-- 老带新: who brought whom. Both are persons of birth; one row for an event (appended where its id is not there yet).
CREATE TABLE invites (event_id VARCHAR, person BIGINT, inviter BIGINT, "at" TIMESTAMP);

-- What each person is worth, and the models that say so: rows of a version, read only while profile_state names that
-- version (`values_version`); a writer adds its own version's rows, names it, and lets go of the others.
CREATE TABLE value_models (version BIGINT, category VARCHAR, body VARCHAR);
CREATE TABLE person_values (
    version BIGINT, person BIGINT, cannot VARCHAR,
    existing_365d DECIMAL(18,2), existing_ever DECIMAL(18,2),
    expected_orders DOUBLE, potential DECIMAL(18,2), potential_low DECIMAL(18,2), potential_high DECIMAL(18,2),
    alive DOUBLE, churn DOUBLE, next_order_day DATE, next_by VARCHAR,
    brought INTEGER, brought_all INTEGER, model_one DECIMAL(18,2), model_tree DECIMAL(18,2)
);
