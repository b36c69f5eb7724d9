"""What Prometheus scrapes."""

from prometheus_client import Counter, Gauge, Histogram

from include.foundation.http.metrics import SECONDS, RequestMetrics
from include.foundation.problem.protocol import Problem


class Metrics(RequestMetrics):
    """The metrics of one serving process, which answers problems of a kind."""

    def __init__(self, kind: Problem) -> None:
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
            f"Predicted {kind.kind.output.plural.lower()}.",
            buckets=kind.buckets,
            registry=registry,
        )
        self.missing = Counter(
            "flightline_feature_missing",
            "Rows without a usable value of the feature (null, or an unknown category).",
            ["feature"],
            registry=registry,
        )
