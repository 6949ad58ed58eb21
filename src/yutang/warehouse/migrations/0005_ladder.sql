-- Who came to which step of the ladder (0: the lowest), when. Appended only: a turn tells of everybody whose step is not
-- the last one told, so a turn that is repeated finds nobody. `before` is null at the first word of a person.
CREATE TABLE ladder_moves (person BIGINT, step INTEGER, before INTEGER, "at" TIMESTAMP, turn BIGINT);
