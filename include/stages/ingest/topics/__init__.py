"""Topics of Kafka: messages to bronze in micro-batches, then silver and quarantine of the days that got some."""
