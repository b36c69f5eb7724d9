"""A bundle of a small model and a marketplace that has its image: nothing of it needs a lake of data."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

from include.foundation.artifact import Metadata, digest, store
from include.foundation.artifact.writer import seal
from include.foundation.evidence.code import feature_code
from include.foundation.evidence.manifest import RunManifest
from include.foundation.history import table
from include.foundation.lake import S3, Lake
from include.foundation.spec import load, module
from include.services.serving.records import example
from include.steps import bundle as step
from sandbox.supervisor.processes import in_session
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

SPEC = load("flight_delays")
FEATURES, MODEL = module(SPEC.name, "features"), module(SPEC.name, "model")
KEY = "public.private"
NOON = datetime(2013, 5, 14, 12, tzinfo=UTC)
DAY = date(2013, 5, 14)


def version(lake: Lake, number: str, gold: pl.DataFrame, rounds: int) -> Any:
    """A registered version, as MLflow would tell it, fitted on rows with a label."""
    model = MODEL.fit(gold, {"n_estimators": rounds, "num_leaves": 15}, 1)
    metadata = Metadata(
        use_case=SPEC.name, features=tuple(FEATURES.FEATURES), categories=model.categories, created_from={}
    )
    data = seal(MODEL.export(model), metadata)
    uri = store.put(lake.objects(), lake.models, SPEC.name, data)
    manifest = RunManifest(
        use_case=SPEC.name,
        spec_digest="",
        snapshots={},
        window={"start": DAY, "validation_start": DAY, "holdout_start": DAY, "end": DAY},
        commit="c",
        dirty=False,
        image="flightline/trainer:c",
        serving_image="flightline/serving:c",
        feature_code=feature_code(SPEC.name),
        run_id="run",
        seed=1,
        parameters={},
        parent_version=None,
        metrics={},
        artifacts={"model.onnx": digest(data)},
    )
    tags = {"model_digest": digest(data), "model_uri": uri, "gate": "passed", **manifest.tags()}
    return SimpleNamespace(name=SPEC.name, version=number, run_id="run", tags=tags)


def versions(lake: Lake) -> dict[str, Any]:
    """Two of them, of other trees."""
    rows = gold()
    return {number: version(lake, number, rows, 10 * int(number)) for number in ("1", "2")}


def registry(versions: dict[str, Any]) -> Any:
    """An MLflow client that knows these versions."""
    return SimpleNamespace(get_model_version=lambda _, number: versions[number], search_model_versions=lambda *_: [])


def values(dtype: Any, count: int, seed: int) -> pl.Series:
    """Values of a feature, some of them missing."""
    numbers = np.random.default_rng(seed).integers(0, 100, count)
    if dtype == pl.String:
        return pl.Series([("AA", "UA", "EWR", "JFK", None)[number % 5] for number in numbers], dtype=pl.String)
    return pl.Series([None if number > 90 else number for number in numbers.tolist()]).cast(dtype)


def gold(count: int = 2000) -> pl.DataFrame:
    """Rows with features and a label that depends on them."""
    frame = pl.DataFrame({name: values(dtype, count, n) for n, (name, dtype) in enumerate(FEATURES.FEATURES.items())})
    known = pl.sum_horizontal(pl.col("hour", "distance", "weather_temp", "departure_delay").fill_null(0))
    return frame.with_columns(label=(known > known.median()).cast(pl.Int8))


def requests(count: int) -> list[dict[str, Any]]:
    """Records as callers send them."""
    sample, rng = example(FEATURES.Request), np.random.default_rng(7)
    changes = (
        {
            "carrier": ("UA", "AA", "DL")[rng.integers(3)],
            "origin": ("EWR", "JFK", "LGA")[rng.integers(3)],
            "tailnum": ("N14228", "N24211", None)[rng.integers(3)],
            "sched_dep": NOON + timedelta(minutes=int(rng.integers(-300, 600))),
        }
        for _ in range(count)
    )
    return [sample.model_copy(update=change).model_dump(mode="json") for change in changes]


def histories(asked: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """Rows of every view for the keys of the requests, before and after their moments."""
    rows = pl.DataFrame([FEATURES.Request.model_validate(each).model_dump() for each in asked])
    moments = pl.DataFrame({"known_at": [NOON + timedelta(minutes=17 * step) for step in range(-30, 30)]})
    found = {}
    for place, (name, view) in enumerate(FEATURES.VIEWS.items()):
        frame = rows.select(view.keys).drop_nulls().unique(maintain_order=True).join(moments, how="cross")
        found[name] = frame.with_columns(
            pl.col("known_at").cast(pl.Datetime("us", "UTC")),
            *(
                values(dtype, frame.height, 50 * place + n).alias(value)
                for n, (value, dtype) in enumerate(view.values.items())
            ),
        )
    return found


def publish(dsn: str, history: dict[str, pl.DataFrame]) -> None:
    """Bring a history into the online table."""
    for name, view in FEATURES.VIEWS.items():
        table.publish(dsn, use_case=SPEC.name, name=name, view=view, frame=history[name])


def bundle(lake: Lake, versions: dict[str, Any], number: str, history: dict[str, pl.DataFrame], **more: Any) -> Any:
    """The bundle of a version, with this history instead of silver's."""
    silver = lambda *_, **__: (NOON, history)  # noqa: E731
    sample = lambda *_, **__: {"records": [], "expected": []}  # noqa: E731
    with patch.object(step, "histories", silver), patch.object(step, "sample", sample):
        return step.bundle(SPEC.name, client=registry(versions), lake=lake, version=number, **more)


@contextmanager
def modzy(home: Path, s3: S3, bundles: str) -> Iterator[SimpleNamespace]:
    """The stand-in, which knows the images of the bundles that lie there."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    (home / "key").write_text(KEY)
    entry = {"path": str(python("serving").parent), "bundles": bundles}
    (home / "images.json").write_text(json.dumps({"flightline/marketplace": entry}))
    words = ("--port", str(port), "--state", str(home), "--images", str(home / "images.json"))
    service = Service(
        name="modzy",
        command=(str(python("sandbox")), "-m", "sandbox.modzy", *words, "--key-file", str(home / "key")),
        env={"PYTHONPATH": str(REPO), **s3.env()},
        ready=partial(answers, f"{url}/readyz"),
        grace_seconds=30,
    )
    with running(service, log=home / "log") as process:
        yield SimpleNamespace(url=url, port=port, home=home)
    assert not in_session(process.pid), "a container outlives the stand-in"


@contextmanager
def rest(log: Path, lake: Lake, version: Any, dsn: str) -> Iterator[str]:
    """URL of the REST service of a version, with history from the online table."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    env = {
        **lake.s3.env(),
        "FLIGHTLINE_USE_CASE": SPEC.name,
        "FLIGHTLINE_MODEL_URI": version.tags["model_uri"],
        "FLIGHTLINE_MODEL_DIGEST": version.tags["model_digest"],
        "FLIGHTLINE_MODEL_VERSION": version.version,
        "FLIGHTLINE_ONLINE_DSN": dsn,
        "FLIGHTLINE_DRAIN_SECONDS": "0",
        "PYTHONPATH": str(REPO),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    service = Service(
        name="serving",
        command=(str(python("serving")), "-m", "include.services.serving"),
        env=env,
        ready=lambda _: answers(f"{url}/v2/health/ready"),
    )
    with running(service, log=log):
        yield f"{url}/v1/models/{SPEC.name}/predict"
