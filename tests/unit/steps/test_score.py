"""A version scores by its own code: gold's rows where that code made them, else rows made anew from silver."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from include.foundation.artifact import Metadata
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence.code import feature_code
from include.foundation.evidence.manifest import RunManifest
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load, module
from include.stages.features.stale import made_by
from include.steps import score as step

SPEC = load("flight_delays")
FEATURES, MODEL = module(SPEC.name, "features").FEATURES, module(SPEC.name, "model")
D = [date(2013, 1, 1), date(2013, 1, 2)]
DIGEST = "a" * 64
COLUMN = [*FEATURES].index("distance")


class Model:
    """Answers with the distance."""

    digest = DIGEST
    metadata = Metadata(use_case=SPEC.name, features=tuple(FEATURES), categories={}, created_from={})

    def score(self, matrix):
        return matrix[:, COLUMN] / np.float32(10_000)


def rows(day, distance=500):
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    values = {name: [None if dtype == pl.String else 1] * 3 for name, dtype in FEATURES.items()}
    values |= {"id": [f"{day}-{n}" for n in range(3)], "event_date": [day] * 3, "event_time": [at] * 3}
    own = {"id": pl.String, "event_date": pl.Date, "event_time": pl.Datetime("us", "UTC")}
    return pl.DataFrame(values | {"distance": [distance] * 3}, schema=own | dict(FEATURES))


def registered(code, version="3"):
    manifest = RunManifest(
        use_case=SPEC.name,
        spec_digest="",
        snapshots={},
        window={"start": D[0], "validation_start": D[0], "holdout_start": D[0], "end": D[0]},
        commit="c",
        dirty=False,
        image="flightline/trainer:c",
        serving_image="flightline/serving:c",
        feature_code=code,
        run_id="r",
        seed=1,
        parameters={},
        parent_version=None,
        metrics={},
        artifacts={"model.onnx": DIGEST},
    )
    uri = f"s3://models/{SPEC.name}/{DIGEST}/model.onnx"
    tags = {"model_digest": DIGEST, "model_uri": uri, "gate": "passed", **manifest.tags()}
    return SimpleNamespace(name=SPEC.name, version=version, run_id="r", tags=tags)


@pytest.fixture
def client():
    """A registry with one version, the champion."""
    found = registered(feature_code(SPEC.name))
    return SimpleNamespace(
        get_model_version=lambda *_: found,
        get_model_version_by_alias=lambda *_: found,
        search_model_versions=lambda *_: [],
    )


@pytest.fixture
def lake(folder_lake, monkeypatch):
    """Gold of two days, by the code of here."""
    monkeypatch.setattr(step.store, "scorer", lambda *_: Model())
    replace_days(folder_lake, SPEC.gold, pl.concat(map(rows, D)), D, {"made_by": made_by(SPEC), "made_from": "{}"})
    return folder_lake


def score(lake, client, **changes):
    return step.score(SPEC.name, client=client, lake=lake, **{"start": D[0], "end": D[-1], **changes})


def test_the_champion_answers_gold_and_a_second_time_there_is_nothing_to_do(lake, client):
    said = score(lake, client)
    assert said == {"version": "3", "start": "2013-01-01", "end": "2013-01-02", "days": 2, "rows": 6, "total": 6}
    frame = tables.read(lake, SPEC.scores)
    assert frame["probability"].unique().to_list() == [np.float32(0.05)]
    assert frame["gold_snapshot"].unique().to_list() == [tables.current_snapshot_id(lake, SPEC.gold)]
    commits = len(tables.load(lake, SPEC.scores).snapshots())
    assert score(lake, client) == said | {"days": 0, "rows": 0}
    assert len(tables.load(lake, SPEC.scores).snapshots()) == commits


def test_what_was_planned_is_scored_whatever_gold_has_become(lake, client):
    planned = tables.current_snapshot_id(lake, SPEC.gold)
    replace_days(lake, SPEC.gold, rows(D[0], distance=900), D[:1], {"made_by": made_by(SPEC)})
    score(lake, client, snapshot_id=planned)
    assert tables.read(lake, SPEC.scores)["probability"].unique().to_list() == [np.float32(0.05)]
    assert score(lake, client)["days"] == 1, "the day that gold has replaced since"


def test_days_that_other_code_made_are_made_anew_from_silver(lake, client, monkeypatch):
    replace_days(lake, SPEC.gold, rows(D[0], distance=900), D[:1], {"made_by": "other code"})
    made = []
    monkeypatch.setattr(step.Silver, "current", lambda *_: "silver")
    monkeypatch.setattr(step, "compute", lambda *asked: made.append(asked) or rows(asked[1], distance=700))
    score(lake, client)
    assert made == [("silver", D[0], D[0])]
    frame = tables.read(lake, SPEC.scores)
    first, second = (frame.filter(pl.col("event_date") == day) for day in D)
    assert (first["probability"][0], first["gold_snapshot"][0]) == (np.float32(0.07), None)
    assert (second["probability"][0], second["gold_snapshot"].null_count()) == (np.float32(0.05), 0)


def test_the_code_of_here_does_not_answer_for_a_version_of_another_code(lake, client):
    client.get_model_version = lambda *_: registered("f" * 64)
    with pytest.raises(InvalidInput, match=r"version 3 answers with feature code f{64}, .*flightline/trainer:c"):
        score(lake, client, version="3")
    assert not lake.catalog().table_exists(SPEC.scores)


def test_without_a_champion_or_without_gold_there_is_nothing_to_score(lake, client, folder_lake):
    with pytest.raises(MissingInput, match="no rows from 2014-01-01"):
        score(lake, client, start=date(2014, 1, 1), end=date(2014, 1, 1))

    def none(*_):
        raise MlflowException("no such alias", error_code=RESOURCE_DOES_NOT_EXIST)

    client.get_model_version_by_alias = none
    with pytest.raises(MissingInput, match="no champion to score with"):
        score(lake, client)
