-- The orders of a person.
SELECT orders.* FROM orders JOIN births ON births.person = orders.person
