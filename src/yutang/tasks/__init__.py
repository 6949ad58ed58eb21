"""What a guide is asked to do today, and what came of it."""
