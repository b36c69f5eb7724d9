"""What there is, for people who look: tables, where they come from, versions. Nothing here writes."""
