-- Lines that counted until now learn what became of their order: whose it is, where and when it was placed, and whether
-- they still count.
UPDATE order_lines SET
    person = o.person, store = o.store, placed_at = o.placed_at,
    void = o.cancelled_at IS NOT NULL OR o.lines_at > o.unsettled_at
FROM order_changes AS o
WHERE order_lines.arrival = o.arrival AND order_lines.revised_at = o.unsettled_at
