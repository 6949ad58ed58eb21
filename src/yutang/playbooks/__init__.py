"""Shipped documents: found, checked, and kept as version 1 of what a brand then makes its own."""
