-- What stands in the pond: persons, orders that count, lines, net spend.
SELECT
    (SELECT count(*) FROM facts) AS persons,
    (SELECT count(*) FROM orders) AS orders,
    (SELECT count(*) FROM order_lines) AS lines,
    (SELECT coalesce(sum(net_amount), 0) FROM orders) AS spend
