-- How much the warehouse holds of a person's numbers.
SELECT
    (SELECT count(*) FROM events e SEMI JOIN births b ON b.person = e.person) AS events,
    (SELECT count(*) FROM orders o SEMI JOIN births b ON b.person = o.person) AS orders,
    (SELECT count(*) FROM decisions d SEMI JOIN births b ON b.person = d.person) AS decisions,
    (SELECT count(*) FROM segment_changes s SEMI JOIN births b ON b.person = s.person) AS segment_changes
