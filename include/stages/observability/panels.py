"""What the dashboard of a use case shows: rows of panels, each with its queries (PromQL). Knows nothing of Grafana."""

from dataclasses import dataclass

from include.foundation.spec import UseCase
from include.stages.observability import pushed
from include.stages.observability.pushed import Pushed

# A window that holds two scrapes at Prometheus' usual interval of a minute, and some more.
RATE = "5m"


@dataclass(frozen=True)
class Query:
    """A query, and how its series are called: text with `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture.

    Attributes:
        title: of the picture.
        text: what it says, and what to look for.
        queries: at least one.
        unit: Grafana's name of the unit (https://github.com/grafana/grafana, packages/grafana-data, valueFormats).
        number: whether the newest number says it all; else it is a curve over time.
    """

    title: str
    text: str
    queries: tuple[Query, ...]
    unit: str = "short"
    number: bool = False


class Names:
    """Selectors of one use case's series."""

    def __init__(self, spec: UseCase) -> None:
        self.use_case = spec.name

    def serving(self, name: str, *matchers: str) -> str:
        """Of serving's metric `flightline_serving_<name>`."""
        return f"flightline_serving_{name}{{{', '.join((self._mine, *matchers))}}}"

    def rate(self, name: str, *matchers: str) -> str:
        """How much a counter of serving grows in a second."""
        return f"rate({self.serving(name, *matchers)}[{RATE}])"

    def pushed(self, metric: Pushed, *matchers: str) -> str:
        """Of a pushed metric."""
        return f"{metric.full_name}{{{', '.join((self._mine, *matchers))}}}"

    @property
    def _mine(self) -> str:
        return f'use_case="{self.use_case}"'


ANSWERS = 'endpoint=~"predict|infer"'


def errors(names: Names) -> str:
    """Share of the questions that were answered with 5xx, by stage; 0 where there was none."""
    fives = names.rate("requests_total", ANSWERS, 'code=~"5.."')
    failed, asked = (f"sum by (stage) ({each})" for each in (fives, names.rate("requests_total", ANSWERS)))
    return f"({failed} or 0 * {asked}) / {asked}"


def latency(names: Names, quantile: float) -> str:
    """Seconds in which that share of the questions is answered, by stage and version."""
    buckets = names.rate("request_seconds_bucket", ANSWERS)
    return f"histogram_quantile({quantile:g}, sum by (stage, version, le) ({buckets}))"


def rows(spec: UseCase) -> dict[str, tuple[Panel, ...]]:
    """Title of a row -> its panels."""
    names = Names(spec)
    return {"Answers": _answers(names), "Model": _model(spec, names), "Data": _data(names), "Runs": _runs(names)}


def _answers(names: Names) -> tuple[Panel, ...]:
    served = f"count by (stage, version) ({names.serving('model_info')})"
    score = f"sum by (stage, le) ({names.rate('score_bucket')})"
    return (
        Panel(
            title="Replicas by version",
            text="Which version answers where. Two versions of a stage: a rollout is under way.",
            queries=(Query(served, "{{stage}}: version {{version}}"),),
            number=True,
        ),
        Panel(
            title="Questions",
            text="Questions in a second, by stage and answer code.",
            queries=(Query(f"sum by (stage, code) ({names.rate('requests_total', ANSWERS)})", "{{stage}}: {{code}}"),),
            unit="reqps",
        ),
        Panel(
            title="Failed answers",
            text="Share of the questions that got 5xx. Anything above 0 is a fault of the service, not of the caller.",
            queries=(Query(errors(names), "{{stage}}"),),
            unit="percentunit",
        ),
        Panel(
            title="Time to an answer",
            text="From a question's head to its answer: half of them, and all but one in a hundred.",
            queries=(
                Query(latency(names, 0.5), "{{stage}} version {{version}}: median"),
                Query(latency(names, 0.99), "{{stage}} version {{version}}: 99%"),
            ),
            unit="s",
        ),
        Panel(
            title="Answers' middle",
            text="Median of what is predicted. A step without a new version: the questions have changed.",
            queries=(Query(f"histogram_quantile(0.5, {score})", "{{stage}}"),),
        ),
        Panel(
            title="Features without a value",
            text="Rows in a second whose feature was missing or of an unknown category, the ten most frequent.",
            queries=(Query(f"topk(10, sum by (feature) ({names.rate('feature_missing_total')}))", "{{feature}}"),),
            unit="rowsps",
        ),
        Panel(
            title="Prediction log",
            text="Rows in a second that are logged, and such as are lost: the buffer was full, or no broker took them.",
            queries=(
                Query(f"sum by (stage) ({names.rate('predictions_logged_total')})", "{{stage}}: logged"),
                Query(f"sum by (stage) ({names.rate('predictions_dropped_total')})", "{{stage}}: lost"),
            ),
            unit="rowsps",
        ),
        Panel(
            title="Memory of a replica",
            text="Resident memory; the limit is the spec's `serving.memory`.",
            queries=(Query(f'process_resident_memory_bytes{{use_case="{names.use_case}"}}', "{{stage}} {{instance}}"),),
            unit="bytes",
        ),
    )


def _model(spec: UseCase, names: Names) -> tuple[Panel, ...]:
    metric = spec.metric.name
    return (
        Panel(
            title="Champion",
            text="The version that the registry calls champion.",
            queries=(Query(names.pushed(pushed.CHAMPION), "version"),),
            number=True,
        ),
        Panel(
            title=f"{metric}: holdout and newest window",
            text="What the newest version showed on its holdout, and the champion on labels that came since.",
            queries=(
                Query(names.pushed(pushed.TRAINED_VALUE, f'metric="{metric}"'), "newest version, holdout"),
                Query(names.pushed(pushed.WINDOW_VALUE, f'metric="{metric}"'), "champion, newest window"),
            ),
        ),
        Panel(
            title="Signals",
            text="1: the newest window is not ordinary. Only signals that last, and a challenger that is better, start"
            " a training.",
            queries=(Query(names.pushed(pushed.WINDOW_SIGNAL), "{{signal}}"),),
        ),
        Panel(
            title="Skew",
            text="Share of the newest window's answers for which a feature was another than the lake has. Should be 0.",
            queries=(Query(names.pushed(pushed.WINDOW_SKEW), "answers"),),
            unit="percentunit",
        ),
        Panel(
            title="Drifted features",
            text="Features of the newest window that are distributed otherwise than in training.",
            queries=(Query(names.pushed(pushed.WINDOW_DRIFTED), "features"),),
        ),
    )


def _data(names: Names) -> tuple[Panel, ...]:
    share = f"{names.pushed(pushed.QUARANTINED)} / ({names.pushed(pushed.LANDED)} > 0)"
    return (
        Panel(
            title="Newest data",
            text="Until when each table holds data.",
            queries=(Query(f"{names.pushed(pushed.DATA_END)} * 1000", "{{table}}"),),
            unit="dateTimeAsIso",
            number=True,
        ),
        Panel(
            title="Rows of the last run",
            text="What landed.",
            queries=(Query(names.pushed(pushed.LANDED), "{{source}}"),),
        ),
        Panel(
            title="Quarantined",
            text="Share of the last run's rows that do not meet their contract.",
            queries=(Query(share, "{{source}}"),),
            unit="percentunit",
        ),
    )


def _runs(names: Names) -> tuple[Panel, ...]:
    return (
        Panel(
            title="Length of the last run",
            text="By Dag.",
            queries=(Query(names.pushed(pushed.RUN_SECONDS), "{{dag}}"),),
            unit="s",
        ),
        Panel(
            title="Failed",
            text="1: the last run failed. Its note in Airflow says why.",
            queries=(Query(names.pushed(pushed.RUN_FAILED), "{{dag}}"),),
        ),
        Panel(
            title="Since the last good run",
            text="By Dag.",
            queries=(Query(f"time() - {names.pushed(pushed.RUN_SUCCEEDED)}", "{{dag}}"),),
            unit="s",
        ),
        Panel(
            title="What the last training took",
            text="Its jobs, all together.",
            queries=(
                Query(names.pushed(pushed.TRAINED_SECONDS), "jobs ran"),
                Query(names.pushed(pushed.TRAINED_GPU_SECONDS), "GPUs were held"),
            ),
            unit="s",
        ),
        Panel(
            title="Cost of the last training",
            text="By the price of an hour of a job: `hour_price` in the extra of the Connection where jobs run.",
            queries=(Query(names.pushed(pushed.TRAINED_COST), "cost"),),
        ),
    )
