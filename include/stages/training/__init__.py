"""From frozen gold rows to a sealed, measured model: tuning trials, the final fit, the gate. Pods run its CLI."""
