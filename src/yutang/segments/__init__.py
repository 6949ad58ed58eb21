"""Who belongs together: rules that people write, compiled to one query."""
