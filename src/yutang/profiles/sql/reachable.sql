-- Persons with a live relation on whose channel marketing was consented to, and who did not ask to be left alone.
-- A channel's own consent row decides; where there is none the `*` row does.
SELECT DISTINCT relation.person
FROM fact_relations AS relation
JOIN facts AS known ON known.person = relation.person
LEFT JOIN fact_consents AS own
    ON own.person = relation.person AND own.purpose = 'marketing' AND own.channel = relation.channel
LEFT JOIN fact_consents AS general
    ON general.person = relation.person AND general.purpose = 'marketing' AND general.channel = '*'
WHERE relation.live AND coalesce(own.granted, general.granted, FALSE)
    AND NOT coalesce(known.blocked, FALSE) AND NOT coalesce(known.silent, FALSE)
