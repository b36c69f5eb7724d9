"""What Prometheus is told."""

from prometheus_client import Counter, Gauge, Histogram

from include.foundation.http.metrics import SECONDS, RequestMetrics


class Metrics(RequestMetrics):
    """The metrics of one serving process."""

    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
        self.rows = Counter("flightline_rows", "Rows scored.", ["endpoint"], registry=registry)
        self.model = Gauge(
            "flightline_model_info",
            "The model that is served; always 1.",
            ["use_case", "version", "digest", "run_id"],
            registry=registry,
        )
        self.ready = Gauge("flightline_ready", "1 while the process can answer.", registry=registry)
        self.online_seconds = Histogram(
            "flightline_online_read_seconds", "One read of the online table.", buckets=SECONDS, registry=registry
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
