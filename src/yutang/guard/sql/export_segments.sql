-- Which segments a person entered and left.
SELECT s.segment, s.version, s.entered, s."at"
FROM segment_changes s
SEMI JOIN births b ON b.person = s.person
ORDER BY s."at", s.segment
