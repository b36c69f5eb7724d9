"""Metrics of requests, for Prometheus."""

from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class RequestMetrics:
    """The metrics of one process, in a registry of their own; a service adds its own to `registry`.

    They are of this process alone: a sum over replicas is taken where they are shown.

    Args:
        service: second part of every name: `flightline_<service>_requests_total`.
        labels: what every sample carries, of what all samples of the process are.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, service: str, **labels: str) -> None:
        self.registry = CollectorRegistry()
        self.prefix = f"flightline_{service}"
        self._exposed = _Labelled(self.registry, labels)
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            f"{self.prefix}_requests",
            "Requests answered by this replica.",
            ["endpoint", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            f"{self.prefix}_request_seconds",
            "From the request's head to its answer.",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(f"{self.prefix}_in_flight", "Requests being answered.", registry=self.registry)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._exposed)


class _Labelled(Collector):
    """Shows a registry's metrics with labels that are the same on all; prometheus-client has no such labels."""

    def __init__(self, registry: Collector, labels: dict[str, str]) -> None:
        self._registry, self._labels = registry, labels

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample._replace(labels=self._labels | sample.labels) for sample in metric.samples]
            yield metric
