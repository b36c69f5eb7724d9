"""What a use case's metrics are called, and the dashboard and alert rules that are made of its spec.

`python -m include.stages.observability` writes them to `deploy/grafana` and `deploy/prometheus`.
"""
