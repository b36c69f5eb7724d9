"""The scoring stage: what a version says of gold's rows, as a table of the lake."""
