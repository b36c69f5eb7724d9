"""The metrics that batch work pushes: nobody could scrape a task, it is gone when its numbers are there.

All are gauges of the newest run (Pushgateway: https://github.com/prometheus/pushgateway#readme), grouped by use case,
Dag and task. Serving's own are scraped: `services/serving/metrics.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge

PREFIX = "flightline_"


class Pushed(NamedTuple):
    """A metric: its name without the project's, what it says, and its label beside `use_case` and `dag`."""

    name: str
    text: str
    label: str = ""

    @property
    def full_name(self) -> str:
        """As Prometheus knows it."""
        return PREFIX + self.name


RUN_SECONDS = Pushed("run_seconds", "How long the last run took.")
RUN_FAILED = Pushed("run_failed", "1 if the last run failed, 0 if it went well.")
RUN_ENDED = Pushed("run_end_timestamp_seconds", "When the last run ended.")
RUN_SUCCEEDED = Pushed("run_success_timestamp_seconds", "When the last run that went well ended.")

LANDED = Pushed("landed_rows", "Rows that the last run took from landing or topic.", "source")
LOST = Pushed("lost_messages", "Messages that the broker had deleted before the last run read them.", "source")
QUARANTINED = Pushed("quarantined_rows", "Of these, rows that do not meet their contract.", "source")
DATA_END = Pushed("data_end_timestamp_seconds", "End of the newest day that the table holds.", "table")

TRAINED_VALUE = Pushed("training_value", "The last version's metric on its holdout.", "metric")
TRAINED_GATES = Pushed("training_gates_passed", "1 if the last version passed its gates, 0 if not.")
TRAINED_SECONDS = Pushed("training_job_seconds", "How long the jobs of the last training ran, all together.")
TRAINED_GPU_SECONDS = Pushed("training_gpu_seconds", "How long they held GPUs, all together.")
TRAINED_COST = Pushed("training_cost", "What they cost, by the price of an hour that their system's Connection says.")
CHAMPION = Pushed("champion_version", "The champion's number in the registry.")

WINDOW_VALUE = Pushed("monitor_value", "The champion's metric on the newest window's matured labels.", "metric")
WINDOW_ANSWERS = Pushed("monitor_answers_distance", "How far the newest window's answers are from the holdout's.")
WINDOW_DRIFTED = Pushed("monitor_drifted_features", "Features of the newest window beyond their limit.")
WINDOW_SIGNAL = Pushed("monitor_signal", "1 for what is not ordinary in the newest window.", "signal")
WINDOW_SKEW = Pushed(
    "monitor_skew_ratio", "Share of the newest window's answers that other features than the lake's made."
)
RETRAINING = Pushed("monitor_retraining", "1 if the last look at the champion asked for a training.")

ALL = tuple(each for each in globals().values() if isinstance(each, Pushed))

Values = Mapping[Pushed, float | Mapping[str, float]]


def registry(values: Values) -> CollectorRegistry:
    """The values as prometheus-client's, for its `pushadd_to_gateway`.

    Args:
        values: a number; for a metric with a label, the number by the label's value.
    """
    found = CollectorRegistry()
    for metric, value in values.items():
        gauge = Gauge(metric.full_name, metric.text, [metric.label] if metric.label else (), registry=found)
        if isinstance(value, Mapping):
            for label, number in value.items():
                gauge.labels(label).set(number)
        else:
            gauge.set(value)
    return found


def ends(days: Mapping[str, Sequence[date]]) -> dict[str, float]:
    """When the newest day of each table ends (UTC, seconds since 1970); without those that have none."""
    newest = {table: max(held) + timedelta(days=1) for table, held in days.items() if held}
    return {table: datetime.combine(day, time(), UTC).timestamp() for table, day in newest.items()}
