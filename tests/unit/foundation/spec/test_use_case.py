"""What a spec cannot mean is refused when it is read, not when a Dag has run for an hour."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from include.foundation.spec import UseCase, load

SOUND = load("flight_delays").model_dump(mode="json", exclude_defaults=True)
RATE = {"name": "rate", "type": "double", "bounds": {"min": 0.1, "max": 1}}


def _with(change: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {**SOUND.get(key, {}), **part} if isinstance(part, dict) else part
        for key, part in (SOUND | change).items()
    }


def test_the_sound_spec_is_read_back_as_it_is():
    assert UseCase.model_validate(SOUND) == load("flight_delays")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "rain_"}, "name"),
        ({"name": "rain__later"}, "name"),
        ({"title": "Rain\nand snow"}, "title"),
        ({"title": "Rain at {{ place }}"}, "title"),
        ({"owner": ""}, "owner"),
        ({"owner": "x" * 2001}, "owner"),
        ({"schedule": {"cron": "every day"}}, "schedule.cron"),
        ({"schedule": {"cron": "99 99 * * *"}}, "schedule.cron: .*'99' says no minute: 0 to 59"),
        ({"schedule": {"start": "9999-12-31", "end": None}}, "schedule.start"),
        ({"schedule": {"end": "2012-12-31"}}, "end 2012-12-31 lies before start 2013-01-01"),
        ({"sources": [{"name": "planes", "contract": "Planes", "every": "snapshot"}]}, "must land every day"),
        ({"sources": [{"name": "flights", "contract": "Flights"}] * 2}, "sources: flights twice"),
        (
            {
                "quality": {
                    "daily": {"new_values": {name: {"tailnum": {"warn": 0, "stop": 1}} for name in ("planes", "x")}}
                }
            },
            "quality.daily.new_values: planes, x: days are compared of .* every day or hour: flights, weather",
        ),
        (
            {"quality": {"daily": {"new_values": {"flights": {"dest": {"warn": 0.2}}}}}},
            "quality.daily.new_values.flights.dest.stop: Field required",
        ),
        (
            {"training": {"metric": "accuracy"}},
            "training.metric: a binary problem has no metric 'accuracy'; it has auc",
        ),
        ({"problem": "ranking"}, "problem: there is no problem kind 'ranking'; there are binary"),
        ({"problem": "regression", "training": {"metric": "auc"}}, "training.metric: a regression problem has no"),
        ({"gates": {"floor": 1.5}}, "gates: auc is from 0 to 1; floor 1.5"),
        ({"gates": {"champion_margin": 2}}, "gates: auc is from 0 to 1; .* margin of 2 is beyond"),
        ({"gates": {"champion_margin": -0.1}}, "gates.champion_margin"),
        ({"training": {"window_days": 5}}, "window_days must exceed holdout_days"),
        ({"training": {"parameters": [RATE, RATE]}}, "parameters: rate twice"),
        ({"training": {"parameters": [RATE | {"bounds": None}]}}, "rate needs bounds"),
        ({"training": {"parameters": [RATE | {"bounds": {"min": 2, "max": 1}}]}}, "rate needs bounds"),
        (
            {"training": {"parameters": [RATE | {"type": "categorical"}]}},
            "rate is categorical: give categorical_values",
        ),
        (
            {"training": {"parameters": [RATE | {"bounds": {"min": 0, "max": 1}, "transformation": "log"}]}},
            "rate: only bounds above 0 have a log",
        ),
        (
            {
                "training": {
                    "parameters": [RATE | {"type": "int", "bounds": {"min": 4, "max": 256}, "transformation": "log"}]
                }
            },
            "rate is an int: only a double may have a transformation",
        ),
        (
            {"training": {"parameters": [RATE | {"type": "int", "bounds": {"min": 1.5, "max": 9.9}}]}},
            "rate is an int: its bounds must be whole numbers",
        ),
        (
            {"training": {"parameters": [{"name": "kind", "type": "categorical", "categorical_values": ["a"]}]}},
            "kind has one value only: say it in training.fixed",
        ),
        ({"training": {"parameters": [RATE | {"categorical_values": ["a", "b"]}]}}, "rate is a number: give bounds"),
        ({"training": {"parameters": [RATE | {"bounds": {"min": 0, "max": float("inf")}}]}}, "bounds.max: .* finite"),
        ({"training": {"parameters": []}}, "training.parameters: .*at least 1 item"),
        ({"training": {"fixed": {"num_leaves": 3}}}, "num_leaves: either tuned"),
        ({"training": {"fixed": {"rate": {"of": 1}}}}, "training.fixed.rate"),
        ({"features": {"lookback_days": 10**12}}, "features.lookback_days: .*less than or equal to 36500"),
        ({"serving": {"memory": "512MB"}}, "serving.memory"),
        ({"serving": {"memory": "512"}}, "serving.memory"),
        ({"serving": {"cpu": "half"}}, "serving.cpu"),
        ({"serving": {"cpu": "0.0"}}, "serving.cpu"),
        ({"promotion": {"stages": [{"name": "live"}] * 2}}, "stages: live twice"),
        ({"promotion": {"stages": [{"name": "live", "cluster": "the cluster"}]}}, "promotion.stages.0.cluster"),
        ({"promotion": {"stages": [{"name": 53 * "a"}]}}, "at most 52 characters"),
        ({"promotion": {"stages": []}}, "stages: at least one"),
        ({"promotion": {"approval_hours": 10**13}}, "promotion.approval_hours"),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValidationError) as refused:
        UseCase.model_validate(_with(change))
    told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refused.value.errors())
    assert re.search(message, told), told


def _digest(change: dict[str, Any], *names: str) -> str:
    return UseCase.model_validate(_with(change)).digest_of(*names)


@pytest.mark.parametrize(
    "change",
    [
        {"promotion": {"approval_hours": 9}, "description": "other words"},
        {"training": {"window_days": 120.0}, "features": {"label_days": 0}},
        {"training": {"policy": dict(reversed(SOUND["training"]["policy"].items()))}},
    ],
)
def test_a_digest_is_of_the_meaning_of_what_is_named(change):
    assert _digest(change, "training", "features") == _digest({}, "features", "training")


@pytest.mark.parametrize("name", ["training", "training.seed"])
def test_a_digest_changes_with_what_is_named(name):
    assert _digest({"training": {"seed": 5}}, name) != _digest({}, name)


@pytest.mark.parametrize("name", ["trainings", "training.sead", "sources.name", "training.seed.low"])
def test_a_digest_of_what_a_spec_does_not_have_is_refused(name):
    with pytest.raises(KeyError, match=f"a spec has no {name}"):
        _digest({}, name)


def test_a_problem_is_judged_by_its_first_metric_unless_another_is_named():
    def metric(**change):
        training = {key: value for key, value in SOUND["training"].items() if key != "metric"}
        spec = UseCase.model_validate({**SOUND, **change, "training": {**training, **change.get("training", {})}})
        return spec.training.metric, spec.metric.goal

    assert metric() == ("auc", "maximize")
    assert metric(problem="regression") == ("rmse", "minimize")
    assert metric(problem="regression", training={"metric": "r2"}) == ("r2", "maximize")
    assert metric(problem="multiclass", gates={"floor": 1.2}) == ("log_loss", "minimize")


def test_a_margin_is_in_the_metrics_unit():
    spec = UseCase.model_validate(
        _with({"problem": "regression", "training": {"metric": "mae"}, "gates": {"floor": 30, "baseline_margin": 2}})
    )
    assert (spec.gates.floor, spec.gates.baseline_margin) == (30, 2)


def test_the_prediction_log_is_a_topic_unless_the_spec_says_no() -> None:
    found = UseCase.model_validate(SOUND)
    assert found.predictions
    assert found.predictions.topic == found.predictions_table == "predictions.flight_delays"
    assert UseCase.model_validate(_with({"serving": {"prediction_log": False}})).predictions is None
    with pytest.raises(ValidationError, match="predictions is the prediction log"):
        UseCase.model_validate({**SOUND, "sources": [{"name": "predictions", "contract": "X"}]})


def test_the_prediction_log_is_ingested_and_no_source():
    spec = load("flight_delays")
    assert [each.name for each in spec.ingested] == ["flights", "weather", "planes", "predictions"]
    silent = spec.model_copy(update={"serving": spec.serving.model_copy(update={"prediction_log": False})})
    assert silent.ingested == silent.sources


def test_long_names_that_begin_alike_have_a_dashboard_each():
    spec = load("flight_delays")
    assert spec.dashboard == "flightline-flight-delays"
    names = ("a" * 29, "a" * 30, f"{'a' * 30}_b", f"{'a' * 30}_c", "a" * 52)
    found = [spec.model_copy(update={"name": name}).dashboard for name in names]
    assert (len({*found}), max(map(len, found))) == (len(names), 40), "Grafana takes no more characters"
