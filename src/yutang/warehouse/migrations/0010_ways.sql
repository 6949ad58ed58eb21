-- By which channels marketing may reach whom, as `people/tell_ways` says; it follows from the other facts and stands
-- here so that no page joins friendships with consents. Of what stood before, the friendships: addresses are told of
-- anew (people, migration 0007).
CREATE TABLE fact_ways (person BIGINT, channel VARCHAR, friend BOOLEAN, wanted BOOLEAN);
INSERT INTO fact_ways (person, channel, friend, wanted)
SELECT DISTINCT contact.person, contact.channel, TRUE, here.person IS NULL AND everywhere.person IS NULL
FROM fact_relations AS contact
JOIN facts AS known ON known.person = contact.person
LEFT JOIN fact_consents AS own
    ON own.person = contact.person AND own.purpose = 'marketing' AND own.channel = contact.channel
LEFT JOIN fact_consents AS general
    ON general.person = contact.person AND general.purpose = 'marketing' AND general.channel = '*'
LEFT JOIN (SELECT DISTINCT person, name FROM fact_preferences WHERE kind = 'channel') AS here
    ON here.person = contact.person AND here.name = contact.channel
LEFT JOIN (SELECT DISTINCT person FROM fact_preferences WHERE name = '*') AS everywhere
    ON everywhere.person = contact.person
WHERE contact.live AND coalesce(own.granted, general.granted, FALSE)
    AND NOT coalesce(known.blocked, FALSE) AND NOT coalesce(known.silent, FALSE);
