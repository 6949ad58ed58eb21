-- What `reachable` says, sooner where it is asked of everybody. A person has one row a channel, so that only friends
-- elsewhere than on WeCom need be looked through for those told already: of a million that takes longer than to join.
SELECT person FROM fact_ways WHERE friend AND channel = 'wecom'
UNION ALL
SELECT DISTINCT elsewhere.person FROM fact_ways AS elsewhere
WHERE elsewhere.friend AND elsewhere.channel <> 'wecom' AND NOT EXISTS (
    SELECT 1 FROM fact_ways AS here WHERE here.person = elsewhere.person AND here.friend AND here.channel = 'wecom'
)
