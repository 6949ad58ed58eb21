-- What the demo's data set left in the pond: its buyers, orders, lines, stores, spend, campaigns and redemptions.
SELECT
    (SELECT count(DISTINCT person) FROM orders WHERE source = $source) AS persons,
    (SELECT count(*) FROM orders WHERE source = $source) AS orders,
    (SELECT count(*) FROM order_lines WHERE source = $source) AS lines,
    (SELECT count(DISTINCT store) FROM orders WHERE source = $source) AS stores,
    (SELECT sum(net_amount) FROM orders WHERE source = $source) AS spend,
    (SELECT count(DISTINCT json_extract_string(props, '$.campaign')) FROM events
     WHERE type IN ('campaign.targeted', 'coupon.redeemed') AND source = $source) AS campaigns,
    (SELECT count(*) FROM events WHERE type = 'coupon.redeemed' AND source = $source) AS redemptions
