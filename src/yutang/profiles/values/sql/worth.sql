-- What each person is worth, as the version says that profile_state names.
SELECT
    person, cannot, existing_365d, existing_ever, expected_orders, potential, potential_low, potential_high, alive,
    churn, next_order_day, next_by, brought, brought_all, model_one, model_tree
FROM person_values
WHERE version = (SELECT max(CAST(value AS BIGINT)) FROM profile_state WHERE name = 'values_version')
