"""The demo: real data that land day by day, and the person who triggers, approves and asks."""
