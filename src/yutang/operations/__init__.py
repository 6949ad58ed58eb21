"""Keeping the house running: the turn of the clock, the doctor."""
