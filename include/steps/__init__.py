"""The command lines that pods and shells run: the one place that puts stages together."""
