"""Embedded stand-ins for a bare machine. Nothing in `dags/`, `plugins/` or `include/` imports this package."""
