"""Pages for customers: phone first, no log-in, no script, nothing that tracks."""
