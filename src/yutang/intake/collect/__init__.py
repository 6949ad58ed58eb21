"""The collect API's inner half: write keys, messages, what they mean, and the writer that makes them durable."""
