-- What goods cost. Of what stood before nothing is known: null, which is never 0. `cost` of a line is that of all its
-- pieces. Of an order: what its last revision's lines charge and cost, what those charge that have no cost, and what
-- follows (`intake/sql/order_changes.sql`): the part of its net amount whose cost is known, and the margin of that part.
ALTER TABLE order_lines ADD COLUMN cost DECIMAL(18,2);
ALTER TABLE orders ADD COLUMN lines_amount DECIMAL(18,2);
ALTER TABLE orders ADD COLUMN cost DECIMAL(18,2);
ALTER TABLE orders ADD COLUMN uncosted DECIMAL(18,2);
ALTER TABLE orders ADD COLUMN costed DECIMAL(18,2);
ALTER TABLE orders ADD COLUMN margin DECIMAL(18,2);
ALTER TABLE profiles ADD COLUMN margin_365d DECIMAL(18,2);
ALTER TABLE profiles ADD COLUMN margin_ever DECIMAL(18,2);
ALTER TABLE profiles ADD COLUMN costed_365d DECIMAL(18,2);
ALTER TABLE profiles ADD COLUMN costed_ever DECIMAL(18,2);

-- The existing value by local quarter of whom each place knows; rows of a version, as those of person_values.
CREATE TABLE value_quarters (
    version BIGINT, node BIGINT, year INTEGER, quarter INTEGER, amount DECIMAL(18,2), persons BIGINT
);
