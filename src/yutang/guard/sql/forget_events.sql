-- Everything that happened to persons, but what happened to their orders.
DELETE FROM events WHERE person IN (SELECT person FROM births) AND NOT starts_with(type, 'order.')
