"""The one log: the vocabulary of events, `record()`, and the durable inbox."""
