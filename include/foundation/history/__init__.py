"""Point-in-time history: what was known when, joined to requests in bulk (`join`) or online (`table`)."""
