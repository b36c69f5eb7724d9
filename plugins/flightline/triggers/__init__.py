"""Triggers: they own waiting."""
