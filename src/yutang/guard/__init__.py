"""Guard: erasing and exporting a person, and how long things are kept. Reaches below by services only."""
