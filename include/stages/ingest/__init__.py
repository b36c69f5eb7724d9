"""From landed files to bronze, quarantine and silver."""
