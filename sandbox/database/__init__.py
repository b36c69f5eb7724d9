"""The metadata databases: PostgreSQL from a wheel."""
