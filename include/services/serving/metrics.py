"""What Prometheus is told."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self.requests = Counter("flightline_requests", "Requests answered.", ["endpoint", "code"], registry=registry)
        self.seconds = Histogram(
            "flightline_request_seconds",
            "From the request's body to its answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rows = Counter("flightline_rows", "Rows scored.", ["endpoint"], registry=registry)
        self.model = Gauge(
            "flightline_model_info",
            "The model that is served; always 1.",
            ["use_case", "version", "digest", "run_id"],
            registry=registry,
        )
        self.ready = Gauge("flightline_ready", "1 while the process can answer.", registry=registry)
        self.in_flight = Gauge("flightline_in_flight", "Requests being answered.", registry=registry)
        self.online_seconds = Histogram(
            "flightline_online_read_seconds", "One read of the online table.", buckets=_SECONDS, registry=registry
        )
        self.scores = Histogram(
            "flightline_score",
            "Predicted probabilities.",
            buckets=tuple(step / 20 for step in range(1, 21)),
            registry=registry,
        )
        self.missing = Counter(
            "flightline_feature_missing",
            "Rows without a usable value of the feature (null, or an unknown category).",
            ["feature"],
            registry=registry,
        )

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
