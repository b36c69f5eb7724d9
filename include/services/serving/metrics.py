"""What Prometheus scrapes."""

from prometheus_client import Counter, Gauge, Histogram

from include.foundation.http.metrics import SECONDS, RequestMetrics
from include.foundation.problem.protocol import Problem


class Metrics(RequestMetrics):
    """The metrics of one serving process.

    Args:
        kind: of the problem that it answers.
        labels: `use_case`, `version`, `stage`: whose answers they are.
    """

    def __init__(self, kind: Problem, **labels: str) -> None:
        super().__init__("serving", **labels)
        registry = self.registry
        self.rows = Counter(f"{self.prefix}_rows", "Rows scored.", ["endpoint"], registry=registry)
        self.model = Gauge(
            f"{self.prefix}_model_info",
            "The model that is served; always 1.",
            ["digest", "run_id"],
            registry=registry,
        )
        self.ready = Gauge(f"{self.prefix}_ready", "1 while the process can answer.", registry=registry)
        self.online_seconds = Histogram(
            f"{self.prefix}_online_read_seconds", "One read of the online table.", buckets=SECONDS, registry=registry
        )
        self.scores = Histogram(
            f"{self.prefix}_score",
            f"Predicted {kind.kind.output.plural.lower()}.",
            buckets=kind.buckets,
            registry=registry,
        )
        self.prediction_log = Gauge(
            f"{self.prefix}_prediction_log",
            "1 if predictions are logged, 0 if no broker is configured.",
            registry=registry,
        )
        self.predictions_logged = Counter(
            f"{self.prefix}_predictions_logged", "Rows put into the prediction log's buffer.", registry=registry
        )
        self.predictions_dropped = Counter(
            f"{self.prefix}_predictions_dropped",
            "Rows that the prediction log lost: its buffer was full, the message was refused, no broker took it.",
            ["reason"],
            registry=registry,
        )
        self.predictions_waiting = Gauge(
            f"{self.prefix}_predictions_waiting", "Rows in the prediction log's buffer.", registry=registry
        )
        self.missing = Counter(
            f"{self.prefix}_feature_missing",
            "Rows without a usable value of the feature (null, or an unknown category).",
            ["feature"],
            registry=registry,
        )
