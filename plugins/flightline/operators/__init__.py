"""Operators: they own the order of work."""
