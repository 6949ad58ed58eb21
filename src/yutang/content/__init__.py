"""The library of what is said, and the check that refuses what must not be."""
