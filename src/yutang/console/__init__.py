"""The console: pages over the rooms below; no rules of its own."""
