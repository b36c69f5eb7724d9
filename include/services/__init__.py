"""Deployables with images of their own: `serving` answers predictions, `tuning` suggests parameters."""
