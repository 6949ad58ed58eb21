-- The audience of each plan as it was frozen at launch: waves and lift speak of these people and no others.
CREATE TABLE plan_audience (plan BIGINT, person BIGINT, "at" TIMESTAMP);
