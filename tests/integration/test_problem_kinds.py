"""A use case of three classes and one of a quantity, from landed files to answers of a real serving process."""

import json
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta

import httpx
import numpy as np
import pytest

from include.foundation.problem import KINDS
from include.foundation.spec import load
from include.stages.promotion.smoke import smoke
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running
from tests.integration.tuning.conftest import Tuning

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]
DAYS = [date(2024, 3, 1) + timedelta(days=n) for n in range(9)]
ROWS, TRIALS = 150, 2
CLASSES = ["calm", "crowded", "packed"]

SPEC = """
name: {name}
title: Trips
description: How {name} is a trip?
owner: tests
problem: {problem}
schedule: {{start: 2024-03-01}}
sources: [{{name: trips, contract: Trips}}]
features: {{lookback_days: 0}}
training:
  policy: {{min_days: 3, every_days: 1}}
  window_days: 9
  holdout_days: 3
  validation_days: 2
  trials: {trials}
  parameters: [{{name: num_leaves, type: int, bounds: {{min: 4, max: 12}}}}]
  fixed: {{n_estimators: 40, min_child_samples: 10}}
gates:
  floor: {floor}
  baseline_margin: {margin}
  slices: [{{by: place, margin: {floor}, min_rows: 100}}]
  latency_p99_ms: 100
"""
CONTRACT = '''
"""What a trip must be."""
from datetime import date
import pandera.polars as pa
import polars as pl

UTC = pl.Datetime("us", "UTC")


class Trips(pa.DataFrameModel):
    """A trip and what came of it."""

    trip: str
    at: UTC
    place: str = pa.Field(isin=["north", "south", "west"])
    hour: int = pa.Field(in_range={{"min_value": 0, "max_value": 23}})
    warmth: float
    outcome: {outcome} = pa.Field(nullable=True)
    event_date: date

    class Config:
        unique = ["event_date", "trip"]
'''
FEATURES = '''
"""Features of a trip: what its request says."""
from datetime import timedelta
import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict

VIEWS = {}
FEATURES = {"place": pl.String(), "hour": pl.Int64(), "warmth": pl.Float64()}


class Request(BaseModel):
    """A trip that is asked about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"at": "2024-03-01T08:00:00Z", "place": "north", "hour": 8, "warmth": 0.5}]}
    )
    at: AwareDatetime
    place: str
    hour: int
    warmth: float

    @property
    def event_time(self):
        """When it starts."""
        return self.at


def requests(silver):
    """Each trip at its start."""
    return silver["trips"].select(pl.col("trip").alias("id"), "event_date", event_time="at", *(["at", *FEATURES],))


def history(silver):
    """None."""
    return {}


def features(joined):
    """As asked."""
    return joined.select(*FEATURES)


def labels(silver):
    """What came of it, an hour later."""
    known = pl.when(pl.col("outcome").is_not_null()).then(pl.col("at") + timedelta(hours=1))
    return silver["trips"].select(pl.col("trip").alias("id"), label="outcome", label_known_at=known)


def mask(silver, at):
    """Trips that started, with the outcomes of those that ended."""
    outcome = pl.when(pl.col("at") + timedelta(hours=1) <= at).then("outcome")
    return {"trips": silver["trips"].filter(pl.col("at") <= at).with_columns(outcome=outcome)}
'''.replace('event_time="at", *(["at", *FEATURES],)', '"at", *FEATURES, event_time="at"')
MODEL = '''
"""Boosted trees."""
from include.models.boosting import BoostedTrees
from include.use_cases.{name}.features import FEATURES

_trees = BoostedTrees(features=FEATURES, baseline_by=("place",), problem="{problem}")
encode, fit, predict, export, baseline = _trees.encode, _trees.fit, _trees.predict, _trees.export, _trees.baseline
'''
BUILD = """
import sys
from datetime import date
from include.foundation.lake import Lake
from include.foundation.problem import KINDS
from include.foundation.spec import load
from include.stages.features.build import build
from include.stages.ingest.run import run
lake, spec, days = Lake.from_env(), load(sys.argv[1]), [date.fromisoformat(day) for day in sys.argv[2:]]
run(lake, spec, days, run_id="one")
build(lake, spec, days[0], days[-1])
"""
SAMPLE = """
import json, sys
from include.foundation.lake import Lake
from include.foundation.problem import KINDS
from include.foundation.spec import load
from include.stages.promotion.sample import sample
print(json.dumps(sample(Lake.from_env(), load(sys.argv[1]), uri=sys.argv[2], digest=sys.argv[3])))
"""


@pytest.fixture(scope="module")
def tuning(postgres_database, service_home):
    one = Tuning(postgres_database(), service_home)
    with running(one._service, log=service_home / "tuning-of-kinds.log", timeout_seconds=120):
        yield one


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The code with two more use cases."""
    root = tmp_path_factory.mktemp("tree")
    for part in ("include", "requirements"):
        shutil.copytree(REPO / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, plan in {
        "crowding": {"problem": "multiclass", "outcome": "str", "floor": 0.9, "margin": 0.05},
        "mistaken": {"problem": "binary", "outcome": "str", "floor": 0.5, "margin": 0.01},
        "duration": {"problem": "regression", "outcome": "float", "floor": 60, "margin": 5},
    }.items():
        folder = root / "include/use_cases" / name
        folder.mkdir()
        (folder / "__init__.py").write_text('"""A use case of the tests."""\n')
        for file, text in {"use_case.yaml": SPEC, "contract.py": CONTRACT, "model.py": MODEL}.items():
            (folder / file).write_text(text.format(name=name, trials=TRIALS, **plan).lstrip())
        (folder / "features.py").write_text(FEATURES.lstrip())
    return root


@pytest.fixture(scope="module")
def step(tree, lake, mlflow_url, tuning):
    """Run Python in the tree; returns the last line of what it printed."""
    env = {
        **lake.env(),
        "SIGOPT_API_URL": tuning.url,
        "SIGOPT_API_TOKEN": tuning.token,
        "MLFLOW_TRACKING_URI": mlflow_url,
        "FLIGHTLINE_COMMIT": "0" * 40,
        "PYTHONPATH": str(tree),
        "PATH": "/usr/bin:/bin",
    }

    def run(*words):
        done = subprocess.run([python("dev"), *words], cwd=tree, env=env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    return run


def land(lake, name, outcome):
    rng = np.random.default_rng(7)
    for day in DAYS:
        lines = ["trip,at,place,hour,warmth,outcome"]
        for n in range(ROWS):
            at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=9 * n)
            place, warmth = ("north", "south", "west")[rng.integers(3)], round(rng.normal(), 3)
            load = {"north": 0, "south": 60, "west": 120}[place] + 40 * warmth + 3 * at.hour + 15 * rng.normal()
            lines.append(f"{day:%d}-{n},{at:%Y-%m-%dT%H:%M:%SZ},{place},{at.hour},{warmth},{outcome(load)}")
        lake.objects().put(f"{lake.landing}/{name}/trips/{day}.csv", "\n".join([*lines, ""]).encode())


def outcome_of(name):
    if name != "duration":
        return lambda load: CLASSES[int(np.digitize(load, [60, 130]))]
    return lambda load: f"{load:.3f}"


@pytest.mark.parametrize("name", ["crowding", "duration"])
def test_from_landed_files_to_served_answers(name, tree, step, lake, s3, postgres_dsn, mlflow_url, tmp_path):
    from mlflow import MlflowClient

    land(lake, name, outcome_of(name))
    step("-c", BUILD, name, *map(str, DAYS))
    run_id = json.loads(step("-m", "include.steps", "prepare", name))["run_id"]
    assert json.loads(step("-m", "include.steps", "trial", "--run-id", run_id)) == {"trials": TRIALS}
    fitted = json.loads(step("-m", "include.steps", "fit", "--run-id", run_id))
    assert fitted["deviation"] < 1e-5
    spec = load(name, tree / "include/use_cases")
    assert {metric.name for metric in KINDS[spec.problem].metrics} < set(fitted)
    version = json.loads(step("-m", "include.steps", "register", "--run-id", run_id))["version"]
    judged = json.loads(step("-m", "include.steps", "gate", "--run-id", run_id, "--version", version))
    assert judged == {"passed": True, "failed": []}
    uri = MlflowClient(mlflow_url).get_run(run_id).data.tags["model_uri"]
    records, expected = json.loads(step("-c", SAMPLE, name, uri, fitted["digest"]))

    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    service = Service(
        name="serving",
        command=(str(python("serving")), "-P", "-m", "include.services.serving"),
        env={
            **s3.env(),
            "FLIGHTLINE_USE_CASE": name,
            "FLIGHTLINE_MODEL_URI": uri,
            "FLIGHTLINE_MODEL_DIGEST": fitted["digest"],
            "FLIGHTLINE_ONLINE_DSN": postgres_dsn,
            "FLIGHTLINE_DRAIN_SECONDS": "0",
            "PYTHONPATH": str(tree),
            "HOST": "127.0.0.1",
            "PORT": str(port),
        },
        url=url,
        ports=(port,),
        ready=lambda _: answers(f"{url}/v2/health/ready"),
    )
    with running(service, log=tmp_path / "log"):
        report = smoke(url, spec, digest=fitted["digest"], records=records, expected=expected)
        assert report.compared
        assert report.least < report.greatest
        (answer,) = httpx.post(f"{url}/v1/models/{name}/predict", json={"records": records[:1]}).json()
        model = httpx.get(f"{url}/v2/models/{name}").json()
        columns = [
            {"name": "place", "datatype": "BYTES", "shape": [2], "data": [row["place"] for row in records[:2]]},
            {"name": "hour", "datatype": "INT64", "shape": [2], "data": [row["hour"] for row in records[:2]]},
            {"name": "warmth", "datatype": "FP64", "shape": [2], "data": [row["warmth"] for row in records[:2]]},
        ]
        inferred = httpx.post(f"{url}/v2/models/{name}/infer", json={"inputs": columns}).json()
        metrics = httpx.get(f"{url}/metrics").text
    (output,) = inferred["outputs"]
    if name == "crowding":
        assert answer["class"] in CLASSES
        assert list(answer["probabilities"]) == CLASSES == model["parameters"]["classes"]
        assert (output["name"], output["shape"]) == ("probabilities", [2, 3])
        assert output["data"][:3] == pytest.approx(list(expected[0].values()), abs=1e-6)
        assert model["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]
    else:
        assert answer["value"] == pytest.approx(expected[0]["value"], rel=1e-5)
        assert (output["name"], output["shape"]) == ("value", [2])
        assert model["outputs"] == [{"name": "value", "datatype": "FP32", "shape": [-1]}]
    assert "probability" not in answer
    assert model["parameters"]["problem"] == spec.problem
    assert "flightline_score_bucket" in metrics


def test_three_classes_under_binary_are_refused_at_gold(step, lake):
    land(lake, "mistaken", outcome_of("mistaken"))
    refusal = r"labels of a binary problem are true and false, .*'(calm|crowded|packed)' of '01-0'"
    with pytest.raises(AssertionError, match=refusal):
        step("-c", BUILD, "mistaken", *map(str, DAYS[:3]))
