-- Let go of the rows of traits that are no more, or are computed anew for everybody.
DELETE FROM profile_more WHERE NOT EXISTS (SELECT 1 FROM asked_traits AS a WHERE a.trait = profile_more.trait)
