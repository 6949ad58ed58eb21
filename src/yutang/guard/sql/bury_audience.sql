-- The frozen audiences keep their size.
UPDATE plan_audience SET person = b.tombstone FROM births b WHERE plan_audience.person = b.person
