"""Persons: identifiers and who they join, consent, friendships, tags, scope."""
