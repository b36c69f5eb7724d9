"""One version as REST service, batch scores, marketplace model, endpoint and edge bundle: the same answers."""

import json
import subprocess
from datetime import date, timedelta
from types import SimpleNamespace

import httpx
import numpy as np
import polars as pl
import pytest

from flightline.hooks import sagemaker_profile
from flightline.hooks.sagemaker_endpoint import EndpointsHook
from flightline.operators.modzy import ModzyPublishOperator, ModzyRunOperator
from flightline.operators.sagemaker_endpoint import SageMakerDeployOperator
from include.foundation.lake import tables
from include.stages.features.build import build
from include.stages.features.online import publish_online
from include.stages.ingest.run import run as ingest
from include.stages.promotion.endpoint import variant
from include.stages.promotion.marketplace import card
from include.steps.bundle import bundle
from include.steps.score import score
from sandbox.supervisor.service import REPO, python
from tests.integration import marketplace, sagemaker
from tests.integration.marketplace import FEATURES, KEY, SPEC

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1200)]
DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(2)]
COUNT = 1000


@pytest.fixture(scope="module")
def full(lake):
    """A lake with two days of real flights, to gold."""
    command = (str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    subprocess.run(command, cwd=REPO, env={**lake.env(), "PYTHONPATH": str(REPO)}, check=True, capture_output=True)
    ingest(lake, SPEC, DAYS, run_id="all")
    build(lake, SPEC, DAYS[0], DAYS[-1])
    return lake


def test_the_variants_give_the_same_answers_on_a_thousand_records(full, postgres_database, tmp_path, monkeypatch):
    gold, dsn = tables.read(full, SPEC.gold).sort("event_time", "id"), postgres_database()
    version = marketplace.version(full, "1", gold.filter(pl.col("label").is_not_null()), 40)
    client = marketplace.registry({"1": version})
    rows = gold.gather_every(gold.height // COUNT).head(COUNT)
    asked = rows.select(list(FEATURES.Request.model_fields)).to_dicts()
    records = [FEATURES.Request.model_validate(each).model_dump(mode="json") for each in asked]
    publish_online(full, SPEC, DAYS[0], DAYS[-1], dsn=dsn)
    with marketplace.rest(tmp_path / "rest.log", full, version, dsn) as url:
        rest = httpx.post(url, json={"records": records}, timeout=300).raise_for_status().json()
    assert len(rest) == COUNT
    assert len({answer["probability"] for answer in rest}) > COUNT / 10

    made = bundle(SPEC.name, client=client, lake=full, version="1", folder=tmp_path / "bundle")
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    env = {"PATH": "/usr/bin:/bin", "PYTHON": str(python("serving")), "LANG": "C"}
    done = subprocess.run([tmp_path / "bundle/run", "score"], env=env, input=lines, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [json.loads(line) for line in done.stdout.splitlines()] == rest

    sample = json.loads((tmp_path / "bundle/sample.json").read_text())
    source, target = f"{full.models}/asked.jsonl", f"{full.models}/answers.jsonl"
    full.objects().put(source, lines)
    (tmp_path / "modzy").mkdir()
    with marketplace.modzy(tmp_path / "modzy", full.s3, made["uri"].rpartition("/")[0]) as modzy:
        where = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": modzy.port, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_MODZY", json.dumps(where))
        monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", full)
        context, quick = (
            {"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)},
            {"deferrable": False, "poll_seconds": 0.1},
        )
        found = card(
            SPEC,
            version="1",
            digest=version.tags["model_digest"],
            manifest="m" * 64,
            image=f"flightline/marketplace:{made['name']}",
            made_from="Two days of flights.",
            judged="All gates passed.",
            **sample,
        )
        ModzyPublishOperator(task_id="publish", card=found, **quick).execute(context)
        job = ModzyRunOperator(task_id="run", model=SPEC.title, source=source, target=target, **quick)
        assert job.execute(context)["records"] == COUNT
    assert [json.loads(line) for line in full.objects().get(target).splitlines()] == rest

    images = sagemaker.images(tmp_path / "images.json")
    profile = sagemaker_profile.endpoint({"endpoint_profile": "sandbox"})
    profile["Model"]["ExecutionRoleArn"] = "arn:aws:iam::123456789012:role/hosting"
    with sagemaker.running(tmp_path / "sagemaker", images, full.s3) as server:
        monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps(server.connection))
        hosted = variant(
            SPEC,
            version="1",
            digest=version.tags["model_digest"],
            bundle=made,
            image="flightline/serving:c",
            profile=profile,
            **sample,
        )
        deployed = SageMakerDeployOperator(task_id="deploy", variant=hosted, **quick).execute(context)
        assert EndpointsHook("sagemaker").invoke(deployed["endpoint"], {"records": records}) == rest

    score(SPEC.name, client=client, lake=full, version="1", start=DAYS[0], end=DAYS[-1])
    table = dict(tables.read(full, SPEC.scores, columns=["id", "probability"]).iter_rows())
    batch = np.array([table[each] for each in rows["id"]], np.float32)
    assert batch.tobytes() == np.array([answer["probability"] for answer in rest], np.float32).tobytes()
