"""Watching a champion: how its data, its answers and its performance differ from its training's, and what follows."""
