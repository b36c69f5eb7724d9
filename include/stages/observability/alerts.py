"""When a person is told: Prometheus' alerting rules of a use case.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/. Grafana shows the rules of its Prometheus,
so that there is one set of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from include.foundation.spec import UseCase
from include.stages.observability import pushed
from include.stages.observability.panels import Names, errors, latency

ERRORS = 0.01  # share of failed answers
QUIET_DAYS = 3  # without a good run of the monitor, which looks every morning


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One rule.

    Attributes:
        name: in CamelCase, as Prometheus' rules are.
        expr: it fires for each series of the result.
        lasting: how long that must be so before it fires, such as `5m`.
        page: whether somebody must act now; else today.
        summary: one line.
        remedy: what to do.
    """

    name: str
    expr: str
    lasting: str
    page: bool = False
    summary: str
    remedy: str


def alerts(spec: UseCase) -> tuple[Alert, ...]:
    """The rules of a use case."""
    return (*_answers(spec), *_model(spec), *_data(spec))


def rules(spec: UseCase) -> dict[str, Any]:
    """A rule file, as Prometheus reads it."""
    found = [
        {
            "alert": each.name,
            "expr": each.expr,
            "for": each.lasting,
            "labels": {"use_case": spec.name, "owner": spec.owner, "severity": "page" if each.page else "ticket"},
            "annotations": {"summary": f"{spec.title}: {each.summary}", "description": each.remedy},
        }
        for each in alerts(spec)
    ]
    return {"groups": [{"name": f"flightline {spec.name}", "interval": "30s", "rules": found}]}


def _answers(spec: UseCase) -> tuple[Alert, ...]:
    names, production = Names(spec), f'stage="{spec.promotion.stages[-1].name}"'
    ready, milliseconds = names.serving("ready", production), spec.gates.latency_p99_ms
    champion = names.pushed(pushed.CHAMPION)
    missing = f"sum by (feature) ({names.rate('feature_missing_total', production)})"
    asked = f"sum({names.rate('rows_total', production)})"
    return (
        Alert(
            name="NobodyAnswers",
            # No series at all is as bad as a 0; before the first promotion there is nobody who could answer.
            expr=f"(absent({ready}) or sum({ready}) == 0) and on () {champion}",
            lasting="2m",
            page=True,
            summary="no replica in production is ready",
            remedy="Look at the pods' logs in Argo CD. If a promotion has just ended, promote the version before it.",
        ),
        Alert(
            name="AnswersFail",
            expr=f"{errors(names)} > {ERRORS:g}",
            lasting="5m",
            page=True,
            summary="{{ $value | humanizePercentage }} of the questions to {{ $labels.stage }} fail",
            remedy="The replicas' logs name the fault. If it came with a promotion, promote the version before it.",
        ),
        Alert(
            name="AnswersSlow",
            expr=f"{latency(names, 0.99)} > {milliseconds / 1000:g}",
            lasting="10m",
            summary="one answer in a hundred of {{ $labels.stage }} takes more than {{ $value | humanizeDuration }}",
            remedy=f"The spec's gate wants {milliseconds:g} ms. More replicas help against load, more processor"
            " (`serving.cpu`) against long answers; the online table may be slow too.",
        ),
        Alert(
            name="PredictionsLost",
            expr=f"sum by (stage) ({names.rate('predictions_dropped_total')}) > 0",
            lasting="5m",
            summary="{{ $value | humanize }} answers a second of {{ $labels.stage }} are not logged",
            remedy="Answers go on. Does the broker answer, and does it let the use case write to its topic?",
        ),
        Alert(
            name="FeatureAlwaysMissing",
            expr=f"{missing} > on () group_left () 0.9 * {asked}",
            lasting="15m",
            summary="nearly all questions to production lack {{ $labels.feature }}",
            remedy="Has a caller changed its records, or has the features Dag stopped publishing history?",
        ),
    )


def _model(spec: UseCase) -> tuple[Alert, ...]:
    names = Names(spec)
    worse = names.pushed(pushed.WINDOW_SIGNAL, 'signal="performance"')
    drifted = names.pushed(pushed.WINDOW_SIGNAL, 'signal=~"features|answers"')
    looked = names.pushed(pushed.RUN_SUCCEEDED, 'dag="monitor"')
    silent = timedelta(days=QUIET_DAYS).total_seconds()
    # What was never looked at has no series. Before the first promotion there is nothing to look at.
    champion = names.pushed(pushed.CHAMPION)
    never = f"absent({looked}) and on () ({champion} and {champion} offset {QUIET_DAYS}d)"
    return (
        Alert(
            name="ModelWorse",
            expr=f"{worse} == 1",
            lasting="0m",
            summary=f"the champion's {spec.metric.name} is worse than its holdout makes likely",
            remedy="The monitor's report in MLflow shows the windows, and whether training again would help.",
        ),
        Alert(
            name="DataDrifted",
            expr=f"{drifted} == 1",
            lasting="0m",
            summary="the newest window's {{ $labels.signal }} are not distributed as in training",
            remedy="The monitor's report in MLflow names the features. Look for a change at their source first.",
        ),
        Alert(
            name="Skew",
            expr=f"{names.pushed(pushed.WINDOW_SKEW)} > 0",
            lasting="0m",
            summary="{{ $value | humanizePercentage }} of the answers were made of other features than the lake's",
            remedy="The monitor's report in MLflow names the features. Is history published late, or does serving run"
            " other code?",
        ),
        Alert(
            name="MonitorSilent",
            expr=f"time() - {looked} > {silent:.0f} or ({never})",
            lasting="0m",
            summary=f"the champion was not looked at for {QUIET_DAYS} days",
            remedy=f"Is {spec.name}.monitor paused in Airflow, or does it fail? The note of its last run says why.",
        ),
    )


def _data(spec: UseCase) -> tuple[Alert, ...]:
    names, budget = Names(spec), spec.quality.quarantine_budget
    quarantined, landed = names.pushed(pushed.QUARANTINED), names.pushed(pushed.LANDED)
    gold = names.pushed(pushed.DATA_END, f'table="{spec.gold}"')
    late = timedelta(hours=spec.monitoring.late_hours).total_seconds()
    now = "time()"
    if spec.schedule.end:  # nothing is late that is not scheduled any more
        last = datetime.combine(spec.schedule.end + timedelta(days=1), time(), UTC).timestamp()
        now = f"scalar(clamp_max(vector(time()), {last:.0f}))"
    found = [
        Alert(
            name="RunFailed",
            expr=f"{names.pushed(pushed.RUN_FAILED)} == 1",
            lasting="0m",
            summary="the last run of {{ $labels.dag }} failed",
            remedy=f"The note of the newest run of {spec.name}.{{{{ $labels.dag }}}} in Airflow says why, and the Dag's"
            " documentation what to do.",
        ),
        Alert(
            name="DataLate",
            expr=f"{now} - {gold} > {late:.0f}",
            lasting="0m",
            summary="gold is {{ $value | humanizeDuration }} behind",
            remedy=f"Have files landed? See the newest runs of {spec.name}.ingest and {spec.name}.features.",
        ),
        Alert(
            name="QuarantineFills",
            expr=f"{quarantined} > {budget / 2:g} * {landed}",
            lasting="0m",
            summary="{{ $value }} rows of {{ $labels.source }} do not meet their contract",
            remedy=f"That is more than half of the budget ({budget:.1%}), beyond which nothing is published. The log of"
            f" {spec.name}.ingest says why rows are bad; tell the source's owner.",
        ),
    ]
    if spec.topics:
        found.append(
            Alert(
                name="MessagesLost",
                expr=f"{names.pushed(pushed.LOST)} > 0",
                lasting="0m",
                page=True,
                summary="{{ $value }} messages of {{ $labels.source }} were deleted before they were read",
                remedy="Table `quarantine.gaps` says which. Raise the topic's retention, or read it more often.",
            )
        )
    return tuple(found)
