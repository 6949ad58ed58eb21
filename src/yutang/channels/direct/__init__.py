"""Channels by which the brand speaks itself: an outbox, and one adapter for each provider."""
