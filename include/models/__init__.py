"""Model families that a use case's `model.py` can call."""
