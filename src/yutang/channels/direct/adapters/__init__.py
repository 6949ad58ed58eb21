"""One file for each provider. Each says in `KIND` what it can do and what it must be told; nothing else is needed for a
new one but its contract tests (CONTRIBUTING.md)."""
