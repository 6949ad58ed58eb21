"""Ground floor: ids, clocks and calendars, money, encryption, documents, errors. Imports no other room."""
