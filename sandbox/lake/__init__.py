"""The object store and what it takes to sign its requests."""
