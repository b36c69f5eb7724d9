"""Small use cases for tests, one of three classes and one of a quantity that lands hourly, and their trips.

One says that it is binary, and has three classes; one has every promotion target; one trains as one job.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from include.foundation.lake import Lake

DAYS = [date(2024, 3, 1) + timedelta(days=n) for n in range(9)]
ROWS = 150  # a day, evenly
TRIALS = 2
CLASSES = ["calm", "crowded", "packed"]
PLANS = {
    "crowding": {"problem": "multiclass", "outcome": "str", "floor": 0.9, "margin": 0.05},
    "mistaken": {"problem": "binary", "outcome": "str", "floor": 0.5, "margin": 0.01},
    "duration": {
        "problem": "regression",
        "outcome": "float",
        "floor": 60,
        "margin": 5,
        "every": "hour",
        "one_job": "true",
    },
    "fares": {
        "problem": "regression",
        "outcome": "float",
        "floor": 60,
        "margin": 5,
        "targets": "argocd, modzy, sagemaker",
    },
}

SPEC = """
name: {name}
title: Trips
description: How {name} is a trip?
owner: tests
problem: {problem}
schedule: {{cron: "@{cron}", start: 2024-03-01, end: 2024-03-09}}
sources: [{{name: trips, contract: Trips, every: {every}}}]
features: {{lookback_days: 0}}
training:
  policy: {{min_days: 3, every_days: 1}}
  window_days: 9
  holdout_days: 3
  validation_days: 2
  trials: {trials}
  parallelism: 1
  one_job: {one_job}
  parameters: [{{name: num_leaves, type: int, bounds: {{min: 4, max: 12}}}}]
  fixed: {{n_estimators: 40, min_child_samples: 10}}
gates:
  floor: {floor}
  baseline_margin: {margin}
  slices: [{{by: place, margin: {floor}, min_rows: 100}}]
  latency_p99_ms: 100
promotion: {{stages: [{{name: production}}], targets: [{targets}]}}
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


def write(root: Path, *names: str) -> None:
    """Add these use cases to the checkout in `root`."""
    for name in names:
        plan = {"every": "day", "trials": TRIALS, "targets": "argocd", "one_job": "false", **PLANS[name]}
        plan["cron"] = "hourly" if plan["every"] == "hour" else "daily"
        folder = root / "include/use_cases" / name
        folder.mkdir()
        (folder / "__init__.py").write_text('"""A use case of the tests."""\n')
        for file, text in {"use_case.yaml": SPEC, "contract.py": CONTRACT, "model.py": MODEL}.items():
            (folder / file).write_text(text.format(name=name, **plan).lstrip())
        (folder / "features.py").write_text(FEATURES.lstrip())


def land(lake: Lake, name: str) -> None:
    """Land all trips of `DAYS`, a file a day or an hour."""
    hourly = PLANS[name].get("every") == "hour"
    files: dict[str, list[str]] = {}
    for at, line in _trips(name):
        files.setdefault(f"{at:%Y-%m-%dT%H}" if hourly else f"{at:%Y-%m-%d}", []).append(line)
    for part, lines in files.items():
        data = "\n".join(["trip,at,place,hour,warmth,outcome", *lines, ""]).encode()
        lake.objects().put(f"{lake.landing}/{name}/trips/{part}.csv", data)


def _trips(name: str) -> Iterator[tuple[datetime, str]]:
    rng = np.random.default_rng(7)
    for day in DAYS:
        for n in range(ROWS):
            at = datetime(day.year, day.month, day.day, tzinfo=UTC) + n * timedelta(days=1) / ROWS
            place, warmth = ("north", "south", "west")[rng.integers(3)], round(rng.normal(), 3)
            load = {"north": 0, "south": 60, "west": 120}[place] + 40 * warmth + 3 * at.hour + 15 * rng.normal()
            outcome = f"{load:.3f}" if PLANS[name]["outcome"] == "float" else CLASSES[int(np.digitize(load, [60, 130]))]
            yield at, f"{day:%d}-{n},{at:%Y-%m-%dT%H:%M:%SZ},{place},{at.hour},{warmth},{outcome}"
