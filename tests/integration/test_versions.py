"""Two versions of a use case whose features changed in between: each answers with its own code, side by side.

A cluster, a lake and an online table of the test's own; a repository whose commits are the versions' code.
"""

import base64
import json
import shutil
import subprocess
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
import yaml
from kubernetes import client, config

from flightline import own_code
from flightline.hooks.cluster import ClusterHook
from include.foundation.errors import DigestMismatch, ServiceUnavailable
from include.foundation.evidence import code
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.stages.promotion import manifests
from include.stages.promotion.routing import Split
from include.stages.promotion.sample import COUNT
from include.stages.promotion.smoke import smoke
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]

DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]
FILES = {
    "__init__.py": '"""Tides."""\n',
    "use_case.yaml": """
name: tides
title: Tides
description: Will the water be higher in an hour?
owner: flightline
schedule: {cron: "@daily", start: 2013-01-01}
sources: [{name: readings, contract: Readings}]
features: {lookback_days: 1, label_days: 1}
training:
  policy: {min_days: 3, every_days: 1}
  window_days: 6
  holdout_days: 1
  validation_days: 1
  parameters: [{name: num_leaves, type: int, bounds: {min: 4, max: 31}}]
gates: {floor: 0.5}
""",
    "features.py": '''
"""Features of tides."""

from datetime import datetime, timedelta

import polars as pl
from pydantic import AwareDatetime, BaseModel

from include.foundation.spec import View

HOUR = timedelta(hours=1)
VIEWS = {"last": View(keys=("station",), max_age=timedelta(hours=6), values={"level": pl.Float64()})}
FEATURES = {"station": pl.String(), "hour": pl.Int64(), "level": pl.Float64()}


class Request(BaseModel):
    """What a caller sends."""

    model_config = {"json_schema_extra": {"examples": [{"station": "north", "asked_at": "2013-01-06T12:00:00Z"}]}}
    station: str
    asked_at: AwareDatetime

    @property
    def event_time(self) -> datetime:
        """When the answer must be given."""
        return self.asked_at


def requests(silver):
    name = pl.format("{}-{}", "station", pl.col("at").dt.strftime("%Y%m%dT%H"))
    return silver["readings"].select(name.alias("id"), "event_date", "station", event_time="at", asked_at="at")


def history(silver):
    readings = silver["readings"].sort("station", "at")
    return {"last": readings.select("station", *VIEWS["last"].values, known_at="at")}


def features(joined):
    hour = pl.col("event_time").dt.hour().cast(pl.Int64)
    return joined.select("station", hour=hour, level="last__level")


def labels(silver):
    known = pl.when(pl.col("label").is_not_null()).then(pl.col("at") + HOUR)
    return requests(silver).hstack(silver["readings"].select("label", known.alias("label_known_at"))).select(
        "id", "label", "label_known_at"
    )


def mask(silver, at):
    seen = silver["readings"].filter(pl.col("at") <= at)
    return {"readings": seen.with_columns(label=pl.when(pl.col("at") + HOUR <= at).then("label"))}
''',
    "model.py": '''
"""The model of tides."""

from include.models.boosting import BoostedTrees
from include.use_cases.tides.features import FEATURES

_trees = BoostedTrees(features=FEATURES, baseline_by=("station",))
encode, fit, predict, export, baseline = _trees.encode, _trees.fit, _trees.predict, _trees.export, _trees.baseline
''',
}
# Version 2: a feature more, from a value more that history keeps; and `hour` means something else under its old name.
EDITS = {
    'values={"level": pl.Float64()}': 'values={"level": pl.Float64(), "mood": pl.Float64()}',
    '"level": pl.Float64()}\n\n': '"level": pl.Float64(), "mood": pl.Float64()}\n\n',
    'level="last__level")': 'level="last__level", mood=pl.col("last__mood"))',
    "dt.hour()": "dt.hour().mul(-1)",
    '.sort("station", "at")\n': '.sort("station", "at").with_columns(mood=pl.col("level").sin())\n',
}
# What the Dags do, without MLflow and Airflow: gold and online history by the image's code, and a fit.
FIT = """
import json, os
from datetime import date
from include.foundation.artifact import store
from include.foundation.evidence import code
from include.foundation.lake import Lake
from include.foundation.problem import problem
from include.foundation.spec import load, module
from include.stages.features.build import build
from include.stages.features.online import publish_online
from include.stages.training import dataset, frozen
from include.stages.training.fitting import fit_final
spec, lake, days = load("tides"), Lake.from_env(), (date(2013, 1, 1), date(2013, 1, 6))
built = build(lake, spec, *days)
publish_online(lake, spec, *days, dsn=os.environ["FLIGHTLINE_ONLINE_DSN"])
frozen.environment = lambda name: "the test's"
pinned = frozen.freeze(lake, spec, image="test")
kind = problem(spec.problem)
data = dataset.load(lake, spec, pinned)
made = fit_final(module("tides", "model"), data, pinned, kind, params={"n_estimators": 30}, machine={"num_threads": 1})
uri = store.put(lake.objects(), lake.models, "tides", made.data)
told = {"uri": uri, "digest": made.digest, "feature_code": code.feature_code("tides")}
told["features"] = made.metadata.features
print(json.dumps(told | {"built": len(built.days), "commit": os.environ["FLIGHTLINE_COMMIT"]}))
"""

SCORE = """
from datetime import date
from types import SimpleNamespace

from include.foundation.lake import Lake
from include.stages import registry
from include.steps.score import score

said = {said}
manifest = SimpleNamespace(feature_code=said["feature_code"], image=said["trainer_image"])
version = SimpleNamespace(**said, file=lambda models: said["uri"], manifest=lambda: manifest)
registry.get = lambda *asked: version
day = date.fromisoformat("{day}")
score("tides", client=None, lake=Lake.from_env(), start=day, end=day, version=said["version"])
"""


def git(root, *words):
    command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def repository(service_home: Path) -> Path:
    """A checkout of this project with one more use case, committed."""
    root = service_home / "checkout"
    shutil.copytree(REPO / "include", root / "include", ignore=shutil.ignore_patterns("__pycache__"))
    folder = root / "include/use_cases/tides"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text.lstrip())
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


@pytest.fixture(scope="module")
def cluster(service_home, repository):
    """A cluster whose images hold the repository's code."""
    home = service_home / "versions"
    home.mkdir()
    held = {"repository": str(repository), "snapshots": str(home / "code")}
    images = {f"flightline/{name}": {"path": str(python(name).parent), "code": held} for name in ("trainer", "serving")}
    (home / "images.json").write_text(json.dumps(images))
    port, *nodes = free_ports(3)
    words = ("--port", str(port), "--state", str(home / "state"), "--images", str(home / "images.json"))
    words += ("--node-ports", f"{min(nodes)}-{max(nodes)}")
    service = Service(
        name="cluster",
        command=(str(python("sandbox")), "-m", "sandbox.cluster", *words),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"http://127.0.0.1:{port}/readyz"),
    )
    with running(service, log=home / "cluster.log"):
        yield home / "state" / "kubeconfig"


@pytest.fixture(scope="module")
def lake(new_lake):
    """Silver of six days."""
    lake, rng = new_lake(), np.random.default_rng(5)
    times = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(24 * len(DAYS))]
    frame = pl.DataFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")}).join(
        pl.DataFrame({"station": ["north", "south", "west"]}), how="cross"
    )
    level = pl.Series(rng.normal(size=frame.height))
    readings = frame.with_columns(
        event_date=pl.col("at").dt.date(), level=level, label=level + rng.normal(size=frame.height) > 0
    )
    replace_days(lake, "silver.tides__readings", readings, DAYS, {})
    return lake


@pytest.fixture(scope="module")
def kubernetes(cluster, lake, s3, postgres_database):
    """A client of the cluster, which has the namespaces and Secrets of the use case."""
    api = config.new_client_from_config(str(cluster))
    core = client.CoreV1Api(api)
    env = {**s3.env(), **lake.env(), "FLIGHTLINE_ONLINE_DSN": postgres_database()}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in env.items()}
    stages = ("flightline-staging", "flightline-production")
    for namespace in ("flightline", *stages):
        core.create_namespace({"metadata": {"name": namespace}})
        secret = "flightline-serving" if namespace in stages else "flightline-trainer"
        core.create_namespaced_secret(namespace, {"metadata": {"name": secret}, "data": data})
    return api


@pytest.fixture
def hook(cluster, kubernetes, monkeypatch):
    extra = {"kube_config": cluster.read_text(), "namespace": "flightline"}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    return ClusterHook()


def trained(hook, repository, number):
    """A version by the code of the repository's commit, as `choose` hands it on."""
    commit = git(repository, "rev-parse", "HEAD")
    said = hook.run_pod(f"flightline/trainer:{commit}", ["-c", FIT])
    told = json.loads(said.strip().splitlines()[-1])
    assert told["commit"] == commit
    images = {"image": f"flightline/serving:{commit}", "trainer_image": f"flightline/trainer:{commit}"}
    return told | images | {"version": str(number)}


def deploy(api, spec, stage, chosen):
    """What a promotion's sync does."""
    one = stage.model_copy(update={"replicas": 1, "rollout": "replicas"})
    files = manifests.render(
        spec,
        one,
        Split(candidate=chosen["version"]),
        before={},
        parent="",
        model_uri=chosen["uri"],
        digest=chosen["digest"],
        image=chosen["image"],
        manifest_digest="0" * 64,
        feature_code=chosen["feature_code"],
        run_id="r",
    )
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    old = [each.metadata.name for each in apps.list_namespaced_deployment(stage.namespace).items]
    for path, text in files.items():
        if "/deployment-" in path:
            apps.create_namespaced_deployment(stage.namespace, yaml.safe_load(text))
        elif path.endswith("/service.yaml") and not core.list_namespaced_service(stage.namespace).items:
            core.create_namespaced_service(stage.namespace, yaml.safe_load(text))
    for name in old:
        apps.delete_namespaced_deployment(name, stage.namespace)


def served(hook, spec, stage, chosen):
    """Ask the stage's endpoint what the version's own code says, once it serves the version."""
    url = hook.service_url(spec.slug, stage.namespace)
    deadline = time.monotonic() + 180
    while True:
        try:
            model = httpx.get(f"{url}/v2/models/tides", timeout=5).json()
            if model["versions"] == [chosen["version"]]:
                break
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        assert time.monotonic() < deadline, f"{url} does not serve version {chosen['version']}"
        time.sleep(0.2)
    records, expected = own_code.sample("tides", chosen)
    assert len({round(answer["probability"], 6) for answer in expected}) > 3, (
        "answers that are all the same compare nothing"
    )
    return smoke(url, spec, digest=chosen["digest"], records=records, expected=expected, settling=5)


def test_each_version_answers_with_its_own_code(hook, kubernetes, lake, repository, monkeypatch):
    spec = load("tides", repository / "include/use_cases")
    staging, production = spec.promotion.stages
    one = trained(hook, repository, 1)
    assert one["features"] == ["station", "hour", "level"]

    features = repository / "include/use_cases/tides/features.py"
    text = features.read_text()
    for old, new in EDITS.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    features.write_text(text)
    git(repository, "commit", "-qam", "a feature more")
    two = trained(hook, repository, 2)
    assert two["features"] == ["station", "hour", "level", "mood"]
    assert two["built"] == len(DAYS), "gold is of one code"
    assert two["feature_code"] != one["feature_code"]

    # Today's code is neither's: the checkout has gone on.
    features.write_text(text + "\n# Edited since.\n")
    monkeypatch.setattr(code, "ROOT", repository)
    code.digest.cache_clear()
    for chosen in (one, two):
        own_code.require("tides", chosen)

    for chosen in (one, two):
        hook.run_pod(chosen["trainer_image"], ["-c", SCORE.format(said=chosen, day=DAYS[-1])])
        scores = tables.read(lake, spec.scores)
        assert {*scores["version"]} == {chosen["version"]}, "a new version replaces"
        assert (scores["gold_snapshot"].null_count() > 0) == (chosen is one), "gold is of the second one's code"
        _, expected = own_code.sample("tides", chosen)
        asked = scores.gather_every(max(1, scores.height // COUNT)).head(COUNT)
        assert asked["probability"].cast(pl.Float64).to_list() == [answer["probability"] for answer in expected]

    for chosen, stage in ((one, production), (two, production), (one, staging)):
        deploy(kubernetes, spec, stage, chosen)
        served(hook, spec, stage, chosen)
    served(hook, spec, production, two)  # side by side
    deploy(kubernetes, spec, production, one)
    served(hook, spec, production, one)  # promoted back
    code.digest.cache_clear()


def test_an_image_that_cannot_be_had_or_holds_other_code_is_told_before_it_is_deployed(hook, repository):
    commit = git(repository, "rev-parse", "HEAD")
    chosen = {"image": f"flightline/serving:{commit}", "feature_code": "0" * 64}
    with pytest.raises(DigestMismatch, match=rf"serving:{commit} holds feature code [0-9a-f]{{64}}, .* names 0000"):
        own_code.require("tides", chosen)
    with pytest.raises(ServiceUnavailable, match=r"flightline/serving:0\.1\.0 cannot be had: .* neither a commit"):
        own_code.require("tides", chosen | {"image": "flightline/serving:0.1.0"})
