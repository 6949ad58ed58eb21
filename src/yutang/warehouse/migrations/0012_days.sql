-- Days and times of a place, in half the time: an instant is UTC already, and a calendar that is asked to put it there
-- costs as much as one that is asked for the place. ICU's own function for it takes microseconds.
CREATE OR REPLACE MACRO day_in_zone(instant, zone) AS CAST(make_timestamptz(epoch_us(instant)) AT TIME ZONE zone AS DATE);
CREATE OR REPLACE MACRO local_in_zone(instant, zone) AS make_timestamptz(epoch_us(instant)) AT TIME ZONE zone;
