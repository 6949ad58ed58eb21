"""Versions of what people write: one history for segments, plans, policies and contents alike."""
