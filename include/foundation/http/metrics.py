"""Metrics of requests, for Prometheus."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class RequestMetrics:
    """The metrics of one process, in a registry of their own; a service adds its own to `registry`.

    They are of this process alone: a sum over replicas is taken where they are shown.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "flightline_requests",
            "Requests answered by this replica.",
            ["endpoint", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "flightline_request_seconds",
            "From the request's head to its answer.",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("flightline_in_flight", "Requests being answered.", registry=self.registry)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)
