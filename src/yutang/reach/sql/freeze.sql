-- Keep a plan's audience as it was at launch.
INSERT INTO plan_audience SELECT $plan, person, $at FROM audience
