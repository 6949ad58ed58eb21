-- Of contacts (friendships, addresses) those by which marketing may reach a person: live, consented to, not left alone.
-- A channel's own consent row decides; where there is none the `*` row does.
SELECT contact.person, contact.channel
FROM contacts AS contact
JOIN facts AS known ON known.person = contact.person
LEFT JOIN fact_consents AS own
    ON own.person = contact.person AND own.purpose = 'marketing' AND own.channel = contact.channel
LEFT JOIN fact_consents AS general
    ON general.person = contact.person AND general.purpose = 'marketing' AND general.channel = '*'
WHERE contact.live AND coalesce(own.granted, general.granted, FALSE)
    AND NOT coalesce(known.blocked, FALSE) AND NOT coalesce(known.silent, FALSE)
