"""Start, watch and stop the services: `control` is what a person asks for, `supervisor` runs in the background."""
