-- Every birth of the persons of `wanted`, with its survivor.
SELECT wanted.person AS birth, wanted.person FROM wanted
UNION ALL
SELECT o.birth, o.survivor AS person FROM person_overrides AS o JOIN wanted ON wanted.person = o.survivor
