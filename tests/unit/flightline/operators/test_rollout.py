"""The operator that observes, on what replicas told at each look."""

import json
import re
from datetime import UTC, datetime
from types import SimpleNamespace

import polars as pl
import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from flightline.hooks.cluster import ClusterHook
from flightline.hooks.kafka import KafkaHook
from flightline.hooks.mlflow import MlflowHook
from flightline.operators import rollout
from flightline.operators.rollout import ObserveOperator
from include.foundation.errors import ServiceUnavailable
from include.foundation.lake.commit import replace_days
from include.foundation.problem import problem
from include.foundation.spec import load
from include.foundation.spec.promotion import Promotion
from include.services.serving.metrics import Metrics
from include.stages import registry

CHOSEN = {"version": "8", "stable": {"production": "7"}}
PROMOTION = Promotion(window_seconds=15, limit_seconds=120)


def exposition(requests, errors=0):
    metrics = Metrics(problem("binary"), use_case="flight_delays", version="8", stage="production")
    metrics.requests.labels("predict", "200").inc(requests - errors)
    metrics.requests.labels("predict", "500").inc(errors)
    for _ in range(requests):
        metrics.seconds.labels("predict").observe(0.004)
        metrics.scores.observe(0.3)
    # The memory of the process that runs the tests, which may be more than a replica's, says nothing here.
    return re.sub(r"^(process_resident_memory_bytes\{.*\}) .*$", r"\1 1e+08", metrics.text().decode(), flags=re.M)


@pytest.fixture
def world(monkeypatch):
    """Two versions that answer nothing until the test says so, a clock, and the tags that were written."""
    world = SimpleNamespace(told={"7": exposition(0), "8": exposition(0)}, restarts=0, now=1000.0, tags={}, messages=[])
    world.logged = property(lambda _: bool(world.messages))
    spec = load("flight_delays").model_copy(update={"promotion": PROMOTION})
    world.spec = spec

    def expositions(_, spec, version, namespace):
        assert namespace == "flightline-production"
        return {f"pod-{version}": (world.restarts if version == "8" else 0, world.told[version])}

    monkeypatch.setattr(rollout, "load", lambda _: world.spec)
    monkeypatch.setattr(ClusterHook, "expositions", expositions)
    monkeypatch.setattr(MlflowHook, "get_conn", lambda _: None)
    monkeypatch.setattr(registry, "tag", lambda _c, _n, version, tags: world.tags.update({version: tags}))
    monkeypatch.setattr(KafkaHook, "is_configured", world.logged)
    monkeypatch.setattr(KafkaHook, "ends", lambda _, topic: {f"{topic}/0": 41})
    monkeypatch.setattr(KafkaHook, "values", lambda _, topic, after, most: world.messages if after else None)
    monkeypatch.setattr(rollout.time, "time", lambda: world.now)
    return world


@pytest.fixture
def operator():
    shown = {"use_case": "flight_delays", "stage": "production", "chosen": CHOSEN, "step": "canary_10"}
    return ObserveOperator(task_id="observe", window_seconds=15, **shown)


@pytest.fixture
def first(operator, world):
    """The first look, and when it was."""
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    return deferred.value.kwargs


def resume(operator, first):
    ti = SimpleNamespace(run_id="r", xcom_push=lambda *_: None)
    return operator.resume({"ti": ti}, None, **first)


def test_a_version_that_is_not_worse_passes_at_the_end_of_the_window(operator, world, first):
    world.told, world.now = {"7": exposition(900), "8": exposition(100)}, 1005.0
    with pytest.raises(TaskDeferred) as deferred:
        resume(operator, first)
    assert deferred.value.kwargs == first, "all looks are held against the first one"
    assert deferred.value.trigger.moment is not None
    world.now = 1015.0
    did = resume(operator, first)
    assert (did["stable"]["requests"], did["candidate"]["requests"], world.tags) == (900, 100, {})


def test_a_worse_version_does_not_stay_to_the_windows_end_and_is_rejected(operator, world, first):
    world.told, world.now = {"7": exposition(900), "8": exposition(100, errors=9)}, 1005.0
    with pytest.raises(AirflowFailException, match=r"version 8 is worse at canary_10 of production: 9 of 100 requests"):
        resume(operator, first)
    assert world.tags["8"]["rejected"].startswith("at canary_10 of production: 9 of 100 requests failed")


def test_a_restart_is_told_without_any_request(operator, world, first):
    world.restarts, world.now = 1, 1005.0
    with pytest.raises(AirflowFailException, match="its containers were restarted 1 times"):
        resume(operator, first)


@pytest.mark.parametrize("told", ["", "<html>", "up 1\n"])
def test_a_candidate_that_hangs_does_not_pass_and_is_rejected_at_the_limit(operator, world, first, told):
    world.spec = world.spec.model_copy(update={"promotion": PROMOTION.model_copy(update={"without_traffic": "go_on"})})
    world.told, world.now = {"7": exposition(900), "8": told}, 1119.0
    with pytest.raises(TaskDeferred):
        resume(operator, first)
    world.now = 1120.0
    with pytest.raises(AirflowFailException, match="1 of its replicas do not tell their metrics"):
        resume(operator, first)
    assert "8" in world.tags


def test_a_candidate_that_hangs_while_requests_are_sent_to_it_is_rejected_at_once(operator, world, first):
    operator.mirror = 50
    world.told, world.now = {"7": exposition(900), "8": ""}, 1005.0
    with pytest.raises(AirflowFailException, match="it answered 0 of about 450 requests that it was sent"):
        resume(operator, first)
    assert "8" in world.tags


def test_a_candidate_is_not_rejected_where_the_stable_version_does_not_tell_either(operator, world, first):
    world.spec = world.spec.model_copy(update={"promotion": PROMOTION.model_copy(update={"without_traffic": "go_on"})})
    world.told, world.now = {"7": "", "8": ""}, 1120.0
    with pytest.raises(AirflowFailException, match=r"version 8 .* 1 of its replicas do not tell"):
        resume(operator, first)
    assert world.tags == {}


def test_what_a_silent_stable_replica_answered_before_is_not_owed_by_the_candidate(operator, world):
    operator.mirror = 50
    world.told["7"] = ""
    with pytest.raises(TaskDeferred) as begun:
        operator.execute({})
    world.told, world.now = {"7": exposition(5000), "8": exposition(0)}, 1005.0
    with pytest.raises(TaskDeferred) as deferred:
        resume(operator, begun.value.kwargs)
    world.told, world.now = {"7": exposition(5200), "8": exposition(100)}, 1015.0
    did = resume(operator, deferred.value.kwargs)
    assert (did["stable"]["requests"], did["candidate"]["requests"], world.tags) == (200, 100, {})


def test_too_few_requests_are_waited_for_and_then_not_fine(operator, world, first):
    world.told, world.now = {"7": exposition(900), "8": exposition(99)}, 1119.0
    with pytest.raises(TaskDeferred):
        resume(operator, first)
    world.now = 1120.0
    with pytest.raises(AirflowFailException, match=r"too few requests to compare in 120 s, wanted are 100 of each"):
        resume(operator, first)
    assert world.tags == {}, "not judged is not rejected"


def test_a_spec_may_say_that_nobody_asks(operator, world, first):
    world.spec = world.spec.model_copy(update={"promotion": PROMOTION.model_copy(update={"without_traffic": "go_on"})})
    world.now = 1119.0
    with pytest.raises(TaskDeferred):
        resume(operator, first)
    world.now = 1120.0
    assert resume(operator, first)["candidate"]["requests"] == 0


@pytest.mark.parametrize(
    ("shares", "stable", "sent"), [({"mirror": 50}, 900, 450), ({"weight": 10}, 1998, 200), ({"weight": 100}, 0, 0)]
)
def test_to_go_on_without_traffic_is_not_to_go_on_without_answers(operator, world, first, shares, stable, sent):
    world.spec = world.spec.model_copy(update={"promotion": PROMOTION.model_copy(update={"without_traffic": "go_on"})})
    for name, value in shares.items():
        setattr(operator, name, value)
    world.told, world.now = {"7": exposition(stable), "8": exposition(2)}, 1120.0
    if not sent:
        assert resume(operator, first)["candidate"]["requests"] == 2, "nobody asked"
        return
    with pytest.raises(AirflowFailException, match=f"it answered 2 of about {sent} requests that it was sent"):
        resume(operator, first)


def test_the_prediction_log_tells_of_one_carrier(operator, world):
    def message(number, version, answer):
        said = {"request_id": f"r{number}", "row": 0, "version": version, "stage": "production", "answer": answer}
        said |= {"scored_at": "1970-01-01T00:16:45.000000Z", "record": {"carrier": "UA" if number < 20 else "AA"}}
        return json.dumps(said).encode()

    world.messages = [
        message(number, version, 0.9 if version == "8" or number >= 20 else 0.2)
        for number in range(200)
        for version in ("7", "8")
    ]
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    world.told, world.now = {"7": exposition(100), "8": exposition(100)}, 1005.0
    with pytest.raises(
        AirflowFailException, match=r"for carrier UA its answers differ from the stable version's by 0\.7"
    ):
        resume(operator, deferred.value.kwargs)


@pytest.mark.parametrize("right", [True, False])
def test_labels_that_have_come_are_judged_at_the_end_of_the_window(operator, world, folder_lake, monkeypatch, right):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", folder_lake)
    world.messages = [b"{}"]
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    first = deferred.value.kwargs
    world.told, world.now = {"7": exposition(100), "8": exposition(100)}, 1015.0
    assert resume(operator, first)["labels"].startswith("auc is not judged: 0 labelled answers of it"), "none joined"
    moment = datetime(1970, 1, 1, 0, 16, 45, tzinfo=UTC)
    said = [
        {"event_date": moment.date(), "id": f"q{number}", "version": version, "stage": "production"}
        | {"scored_at": moment, "label": number % 2}
        | {"answer": [float(number % 2 if version == "7" or right else 1 - number % 2)]}
        for number in range(200)
        for version in ("7", "8")
    ]
    replace_days(folder_lake, world.spec.predictions_table, pl.DataFrame(said), [moment.date()], {})
    if right:
        assert "its gain in auc is +0.0000" in resume(operator, first)["labels"]
        return
    with pytest.raises(AirflowFailException, match=r"its gain in auc is -1\.0000, from -1\.0000 to -1\.0000"):
        resume(operator, first)
    assert "its gain in auc" in world.tags["8"]["rejected"]


def test_a_lake_that_is_away_takes_no_good_version_back(operator, world, monkeypatch):
    def away(*_, **__):
        raise ServiceUnavailable("the catalog does not answer")

    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", None)
    monkeypatch.setattr("include.foundation.lake.tables.read", away)
    world.messages = [b"{}"]
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    world.told, world.now = {"7": exposition(100), "8": exposition(100)}, 1015.0
    assert resume(operator, deferred.value.kwargs)["labels"] == "no labels are known"


def test_what_a_look_keeps_is_json(first):
    assert json.loads(json.dumps(first)) == first
