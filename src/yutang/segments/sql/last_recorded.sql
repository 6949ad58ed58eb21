-- When anybody was last recorded as coming into a segment or going from it.
SELECT max("at") AS "at" FROM segment_changes WHERE segment = $segment
