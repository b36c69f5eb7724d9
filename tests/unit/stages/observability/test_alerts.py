"""Every rule fires when it should and is quiet when it should be, by Prometheus' own evaluation of it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from include.foundation.spec import load
from include.foundation.spec.topics import Topic
from include.stages.observability.alerts import alerts, rules

FLIGHTS = load("flight_delays")
MESSAGES = Topic(kind="topic", name="gusts", contract="Gusts", topic="gusts", event_time="at")
SPEC = FLIGHTS.model_copy(update={"sources": (*FLIGHTS.sources, MESSAGES)})
GOLD = 'data_end_timestamp_seconds{table="gold.flight_delays"}'
ANSWERS = 'serving_requests_total{stage="production",endpoint="predict",code="%s"}'
SECONDS = 'serving_request_seconds_bucket{stage="production",version="1",endpoint="predict",le="%s"}'
READY, CHAMPION = 'serving_ready{stage="production"}', "champion_version"
ROWS, MISSING = (
    'serving_rows_total{stage="production"}',
    'serving_feature_missing_total{stage="production",feature="f"}',
)
SIGNAL = 'monitor_signal{signal="%s"}'
LANDED, QUARANTINED = 'landed_rows{source="flights"}', 'quarantined_rows{source="flights"}'

# Alert -> series by which it fires, and such by which it does not; values in promtool's notation, one each half minute.
CASES: dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]] = {
    "NobodyAnswers": (
        [{CHAMPION: "1x120"}, {CHAMPION: "1x120", READY: "1x60 0x60"}],
        [{CHAMPION: "1x120", READY: "1x120"}, {"run_failed": "0x120"}],
    ),
    "AnswersFail": (
        [{ANSWERS % 200: "0+90x120", ANSWERS % 500: "0+10x120"}],
        [{ANSWERS % 200: "0+90x120"}, {ANSWERS % 200: "0+90x120", ANSWERS % 422: "0+10x120"}],
    ),
    "AnswersSlow": (
        [{SECONDS % "0.01": "0x120", SECONDS % "0.5": "0+90x120", SECONDS % "+Inf": "0+90x120"}],
        [{SECONDS % "0.01": "0+90x120", SECONDS % "0.5": "0+90x120", SECONDS % "+Inf": "0+90x120"}],
    ),
    "FeatureAlwaysMissing": (
        [{ROWS: "0+90x120", MISSING: "0+89x120"}],
        [{ROWS: "0+90x120", MISSING: "0+45x120"}],
    ),
    "PredictionsLost": (
        [{'serving_predictions_dropped_total{stage="production",reason="full"}': "0+1x120"}],
        [{'serving_predictions_dropped_total{stage="production",reason="full"}': "0x120"}],
    ),
    "Skew": ([{"monitor_skew_ratio": "0.01x120"}], [{"monitor_skew_ratio": "0x120"}]),
    "ModelWorse": ([{SIGNAL % "performance": "1x120"}], [{SIGNAL % "performance": "0x120", SIGNAL % "age": "1x120"}]),
    "DataDrifted": (
        [{SIGNAL % "features": "1x120"}, {SIGNAL % "answers": "1x120"}],
        [{SIGNAL % "performance": "1x120", SIGNAL % "features": "0x120"}],
    ),
    "MonitorSilent": (
        [{'run_success_timestamp_seconds{dag="monitor"}': "-300000x120"}],
        [{'run_success_timestamp_seconds{dag="monitor"}': "0x120"}],
    ),
    "RunFailed": ([{'run_failed{dag="train"}': "0x60 1x60"}], [{'run_failed{dag="train"}': "1x60 0x60"}]),
    "DataLate": ([{GOLD: "-130000x120"}], [{GOLD: "0x120"}]),
    "QuarantineFills": (
        [{LANDED: "1000x120", QUARANTINED: "26x120"}],
        [{LANDED: "1000x120", QUARANTINED: "25x120"}],
    ),
    "MessagesLost": ([{'lost_messages{source="gusts"}': "3x120"}], [{'lost_messages{source="gusts"}': "0x120"}]),
}


def test_every_rule_has_a_case() -> None:
    assert {*CASES} == {each.name for each in alerts(SPEC)}
    assert {*CASES} - {each.name for each in alerts(FLIGHTS)} == {"MessagesLost"}


def _series(given: dict[str, str]) -> list[dict[str, str]]:
    def named(name: str) -> str:
        head, _, labels = name.rstrip("}").partition("{")
        return f'flightline_{head}{{use_case="flight_delays"{"," * bool(labels)}{labels}}}'

    return [{"series": named(name), "values": values} for name, values in given.items()]


@pytest.fixture
def evaluate(promtool: Callable[..., str], tmp_path: Path) -> Callable[..., None]:
    """Let Prometheus say whether alerts fire at a time after their series began; a value each `step`."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules(SPEC)))
    assert f"{len(CASES)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")

    def check(cases: Iterable[tuple[str, dict[str, str], str, bool]], *, step: str) -> None:
        tests = []
        for name, given, at, fires in cases:
            question = {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                "eval_time": at,
                "exp_samples": [{"value": 1}] if fires else [],
            }
            tests.append({"interval": step, "input_series": _series(given), "promql_expr_test": [question]})
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": step, "tests": tests}
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
        promtool("test", "rules", tmp_path / "tests.yaml")

    return check


def test_rules_fire_when_they_should_and_only_then(evaluate: Callable[..., None]) -> None:
    cases = [
        (name, given, "1h", fires)
        for name, (firing, quiet) in CASES.items()
        for fires, all_given in ((True, firing), (False, quiet))
        for given in all_given
    ]
    evaluate(cases, step="30s")


def test_a_monitor_that_never_ran_well_is_silent_once_there_was_a_champion_to_look_at(
    evaluate: Callable[..., None],
) -> None:
    champion, looked = {CHAMPION: "1x99"}, {'run_success_timestamp_seconds{dag="monitor"}': "200000x99"}
    cases = [
        (champion, "71h", False),
        (champion, "73h", True),
        (champion | looked, "73h", False),
        ({CHAMPION: "1x50"}, "73h", False),  # the Pushgateway forgot everything: the monitor's good runs too
        ({'run_failed{dag="train"}': "0x99"}, "73h", False),
    ]
    evaluate([("MonitorSilent", *each) for each in cases], step="1h")


def test_nothing_is_late_after_the_schedules_end() -> None:
    """The demo's year is 2013: what it holds to the last day is not late today."""
    last = next(each for each in alerts(SPEC) if each.name == "DataLate").expr
    endless = SPEC.model_copy(update={"schedule": SPEC.schedule.model_copy(update={"end": None})})
    assert "1388448000" in last  # 2013-12-31
    assert "clamp_max" not in next(each for each in alerts(endless) if each.name == "DataLate").expr


@pytest.mark.parametrize("alert", alerts(SPEC), ids=lambda each: each.name)
def test_a_rule_says_what_to_do(alert) -> None:
    assert alert.summary
    assert alert.remedy.endswith((".", "?"))
