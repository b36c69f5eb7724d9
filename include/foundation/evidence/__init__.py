"""Evidence for a model: metrics, the state of the code, and the run manifest that ties them together."""
