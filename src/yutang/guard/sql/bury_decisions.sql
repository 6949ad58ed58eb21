-- The ledger keeps its rows, so that every plan still adds up, under a tombstone that leads to nobody.
UPDATE decisions SET person = b.tombstone FROM births b WHERE decisions.person = b.person
