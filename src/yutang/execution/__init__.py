"""Whether stores carry out what was planned: the board, and who is chased."""
