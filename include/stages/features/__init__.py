"""The features stage: from silver to gold, and the newest history to the online table."""
