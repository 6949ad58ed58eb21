-- Every way to a person, before anybody asks for consent: friendships, addresses, and the people of the home store.
-- By accounts that are active alone (`accounts`), as the gate has it: nobody speaks by another.
-- `serving` says which accounts serve whom lives where, `home` being where they were put, or else where they bought most.
SELECT relation.person, relation.channel, relation.sender AS account, TRUE AS live
FROM fact_relations AS relation
JOIN accounts ON accounts.account = relation.sender
WHERE relation.live
UNION ALL
SELECT reached.person, serving.channel, serving.account, TRUE AS live
FROM reached
JOIN facts ON facts.person = reached.person
LEFT JOIN profiles ON profiles.person = facts.person
JOIN serving
    ON serving.home = coalesce(facts.home_node, profiles.home_store, $nowhere)
    AND serving.channel = reached.channel AND serving.space = reached.space
WHERE NOT serving.by_home
UNION ALL
SELECT facts.person, serving.channel, serving.account, TRUE AS live
FROM facts
LEFT JOIN profiles ON profiles.person = facts.person
JOIN serving ON serving.home = coalesce(facts.home_node, profiles.home_store, $nowhere)
WHERE serving.by_home
