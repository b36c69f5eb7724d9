"""Workspaces as the cluster sees them: what may be asked for, and the objects that they are. Neither asks anybody."""
