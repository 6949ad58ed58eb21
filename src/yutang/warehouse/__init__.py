"""Engines, tables, named queries, migrations, the one writer. Arrow in, Arrow out."""
