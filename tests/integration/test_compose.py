"""docker-compose.yaml's S3 and catalog, by the commands and variables that stand there; their image is not run."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from functools import partial

import polars as pl
import pytest
import yaml
from airflow.sdk import Connection

from flightline.hooks.lake import LakeHook
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

pytestmark = pytest.mark.integration
SECRET = "s3cr3t-of-compose"
SERVERS = ("s3", "master", "filer", "volume", "admin")
DAY = date(2013, 1, 1)


@pytest.fixture
def composed(tmp_path):
    """The file, with a secret in place of its variables and S3 and catalog on ports of this machine."""
    s3, catalog, *others = free_ports(len(SERVERS) + 1)
    text = re.sub(r"\$\{\w+(:\?[^}]*)?\}", SECRET, (REPO / "docker-compose.yaml").read_text())
    text = text.replace("http://s3:8333", f"http://127.0.0.1:{s3}").replace(
        "http://s3:8181", f"http://127.0.0.1:{catalog}"
    )
    services = yaml.safe_load(text)["services"]
    server = services["s3"]
    ports = zip(SERVERS, (s3, *others), strict=True)
    (weed, *words), where = server["entrypoint"], (f"-dir={tmp_path}", "-ip.bind=127.0.0.1")
    service = Service(
        name="s3",
        command=(
            str(python("sandbox").parent / weed),
            *(*words, *server["command"], *where),
            *(f"-{name}.port={port}" for name, port in ports),
            f"-s3.port.iceberg={catalog}",
        ),
        env={"HOME": str(tmp_path), **server["environment"]},
        ready=partial(answers, f"http://127.0.0.1:{s3}/healthz"),
    )
    with running(service, log=tmp_path / "s3.log"):
        yield services


def test_the_composed_lake_has_its_buckets_and_takes_a_table(composed, monkeypatch):
    buckets = composed["buckets"]
    env = {**os.environ, **buckets["environment"], "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, *buckets["entrypoint"][1:], *buckets["command"]]
    for _ in range(2):  # it is started again while S3 is not there yet, and after each `up`
        subprocess.run(command, env=env, check=True)

    said = json.loads(composed["scheduler"]["environment"]["AIRFLOW_CONN_LAKE"])
    monkeypatch.setattr(LakeHook, "get_connection", lambda _self, name: Connection.from_json(json.dumps(said), name))
    lake = LakeHook().lake
    rows = pl.DataFrame({"event_date": [DAY], "n": [1]})
    replace_days(lake, "silver.composed", rows, [DAY], {"run_key": "a"})
    assert tables.read(lake, "silver.composed").equals(rows)
    lake.objects().put("s3://models/a", b"x")
    assert lake.objects().get("s3://models/a") == b"x"
