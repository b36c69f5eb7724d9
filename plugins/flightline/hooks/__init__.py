"""Hooks: one per outside service; they own connections, HTTP, retries and errors."""
