"""Bring a version to a stage: what is committed for it, and the questions it must answer there."""
