"""What there is, for people who look: tables, where they come from, versions. Pages and a shell show it."""
