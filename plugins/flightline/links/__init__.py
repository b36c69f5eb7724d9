"""Links: buttons from a task to where its result lives."""
