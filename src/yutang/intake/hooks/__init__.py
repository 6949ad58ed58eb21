"""Webhooks in: what platforms push, checked, kept sealed, and made into events as a document says."""
