"""The work of a use case's loop, a room a stage. They meet through foundations and data and never import each other."""
