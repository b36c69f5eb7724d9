"""The pages in an app that stands for Airflow's: its API, its users and its rights, without a server."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from flightline.ui import access, lookups, menu
from include.catalog.browse import Catalog
from include.catalog.versions import Evidence, Gate, Version
from include.foundation.evidence.manifest import RunManifest, Window
from include.foundation.lake import Lake
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load, load_all
from include.stages.monitoring.report import rows_of
from include.stages.promotion.served import Served
from tests.unit.stages.monitoring.test_report import REFERENCE, seen

SPEC = load("flight_delays")
D = [date(2013, 1, day) for day in range(1, 4)]
EVIL = "<script>alert(1)</script>"


class User:
    def __init__(self, name: str) -> None:
        self.name = name

    def get_id(self) -> str:
        return self.name

    def get_name(self) -> str:
        return self.name


class Manager:
    """Rights: `viewer` sees, `user` starts too, `admin` sees Connections too, `nobody` may nothing."""

    def is_authorized_asset(self, *, method: str, user: User) -> bool:
        return user.name != "nobody"

    def is_authorized_dag(self, *, method: str, user: User, details: Any, access_entity: Any = None) -> bool:
        return user.name in {"user", "admin"} or (method == "GET" and user.name == "viewer")

    def is_authorized_connection(self, *, method: str, user: User, details: Any) -> bool:
        return user.name == "admin"


class Site:
    """A browser of one user."""

    def __init__(self, airflow: FastAPI) -> None:
        self.airflow, self.started, self.promotion = airflow, list[Any](), "success"
        self.client = TestClient(airflow, follow_redirects=False, raise_server_exceptions=False)

    def login(self, name: str) -> "Site":
        menu._pages().dependency_overrides[get_user] = lambda: User(name)
        self.client.headers["Authorization"] = "Bearer the-users-own"
        return self

    def get(self, path: str, **params: str) -> Any:
        return self.client.get(f"/flightline/{path}", params=params or None)

    def token(self) -> str:
        return re.search(r'name="token" value="([^"]+)"', self.get("query").text).group(1)

    def post(self, path: str, *, headers: dict[str, str] | None = None, **fields: str) -> Any:
        return self.client.post(f"/flightline/{path}", data=fields, headers=headers)


def manifest(**changes: Any) -> RunManifest:
    return RunManifest(
        **{
            "use_case": SPEC.name,
            "spec_digest": "0",
            "snapshots": {SPEC.gold: "8123456789012345678"},
            "window": Window(
                start=D[0], validation_start=date(2013, 4, 1), holdout_start=date(2013, 4, 15), end=date(2013, 4, 30)
            ),
            "commit": "c0ffee",
            "dirty": False,
            "image": "flightline/trainer:c0ffee",
            "serving_image": "flightline/serving:c0ffee",
            "feature_code": "1",
            "run_id": "run1",
            "seed": 1,
            "parameters": {"num_leaves": 31},
            "parent_version": None,
            "metrics": {"auc": 0.71},
            "artifacts": {"model.onnx": "d1"},
            **changes,
        }
    )


def version(number: str, **changes: Any) -> Version:
    return Version(
        **{
            "number": number,
            "champion": number == "2",
            "gate": "failed" if number == "3" else "passed",
            "judged_against": "none" if number == "1" else "1",
            "manifest": manifest(metrics={"auc": 0.70 + int(number) / 100}),
            "fault": "",
            "run_id": f"run{number}",
            "digest": f"d{number}",
            "created": datetime(2026, 1, 1, tzinfo=UTC),
            "since": datetime(2026, 1, 2, tzinfo=UTC) if number == "2" else None,
            "previous": "1" if number == "2" else "",
            "answers": (("2026-01-02T00:00:00Z", f"approved by Ada {EVIL} up to production"),) if number == "2" else (),
            "monitored": "",
            "rejected": "",
            "dag_run": "manual__1+1" if number == "2" else "",
            **changes,
        }
    )


EVIDENCE = Evidence(
    gates=(
        Gate(name="floor", passed=True, value=0.72, threshold=0.66, detail="auc at least 0.66"),
        Gate(name="slice:carrier", passed=False, value=0.5, threshold=0.6, detail=EVIL),
    ),
    reference="version 1",
    rows=1000,
    metric="auc",
    curves=(
        {"title": "ROC", "note": "", "x": "false", "y": "true", "series": {"": [[0, 0], [1, 1]]}, "diagonal": True},
    ),
    importance={"hour": 0.7, "carrier": 0.3},
)


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory) -> Lake:
    """A lake in a folder, with a table of each kind; only read."""
    folder = tmp_path_factory.mktemp("lake")
    catalog = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
    lake = Lake(catalog_properties=catalog, landing="s3://landing", models="s3://models")
    rows = pl.DataFrame({"event_date": D, "temp": ["1", EVIL, None]})
    said = {"landed": "4", "quarantined": "1", "reasons": '{"temp: ge(0)": 1}'}
    failed = rows.with_columns(reasons=pl.Series([[f"temp: ge(0): '{EVIL}'"]] * 3))
    for name, written in (
        ("bronze.flight_delays__weather", rows),
        ("silver.flight_delays__weather", rows),
        ("quarantine.flight_delays__weather", failed),
        ("other.t", rows),
    ):
        replace_days(lake, name, written, D, {"run_key": "1", **said})
    windows = rows_of("2", REFERENCE, [seen(1), seen(2, value=None, drifted=("a", "b"))])
    replace_days(lake, SPEC.monitoring_table, windows, windows["event_date"].to_list(), {"run_key": "1"})
    return lake


@pytest.fixture(scope="session")
def small_catalog(small_lake) -> Catalog:
    """Its tables."""
    return Catalog(lambda: small_lake, load_all)


@pytest.fixture
def site(small_lake, small_catalog, monkeypatch) -> Iterator[Site]:
    """All pages over a small lake and three versions, at an Airflow that answers."""
    monkeypatch.setattr(lookups, "lake", lambda: small_lake)
    monkeypatch.setattr(lookups, "catalog", lambda: small_catalog)
    monkeypatch.setattr(lookups, "versions", lambda _: [version("3"), version("2"), version("1")])
    monkeypatch.setattr(lookups, "evidence", lambda _: EVIDENCE)
    monkeypatch.setattr(
        lookups, "deployed", lambda _: lookups.Deployed(served=(Served(stage="production", version="2"),))
    )
    monkeypatch.setattr(
        lookups,
        "endpoints",
        lambda name: (
            lookups.Endpoint(stage="staging", url=f"https://{name}.example/staging"),
            lookups.Endpoint(stage="production", fault=EVIL),
        ),
    )
    monkeypatch.setattr(lookups, "outside", lambda name: f"https://{name}.example")
    monkeypatch.setattr(access, "get_auth_manager", Manager)
    monkeypatch.setattr(access.conf, "get_mandatory_value", lambda *_: "a secret of the test")
    airflow = FastAPI()
    one = Site(airflow)

    @airflow.get("/api/v2/dags/{dag_id}/dagRuns")
    def runs(dag_id: str, request: Request) -> Any:
        assert request.headers["authorization"] == "Bearer the-users-own"
        if dag_id.endswith(".score"):
            return {"dag_runs": []}
        state = {"train": "failed", "promote": one.promotion}.get(dag_id.rpartition(".")[2], "success")
        return {
            "dag_runs": [
                {
                    "dag_run_id": "run 1",
                    "state": state,
                    "note": f"Said {EVIL}\n\nmore",
                    "start_date": "2026-01-01T00:00:00Z",
                }
            ]
        }

    @airflow.get("/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails")
    def questions(dag_id: str) -> Any:
        task = {"dag_id": dag_id, "dag_run_id": "run 1", "task_id": "approve"}
        return {"hitl_details": [{"subject": f"Promote {EVIL}?", "task_instance": task}]}

    @airflow.get("/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
    def tasks(dag_id: str, run_id: str) -> Any:
        assert (dag_id, run_id) == (f"{SPEC.name}.promote", "run 1")
        done, now = ("rollout.staging.smoke", "success"), ("rollout.production.canary_10.observe", "deferred")
        return {"task_instances": [{"task_id": name, "state": state} for name, state in (done, now, ("end", None))]}

    @airflow.post("/api/v2/dags/{dag_id}/dagRuns")
    async def start(dag_id: str, request: Request) -> Any:
        body = await request.json()
        if body["conf"].get("version") == "1":
            return JSONResponse({"detail": "Airflow says no"}, 403)
        one.started.append((dag_id, body))
        return {"dag_run_id": "manual__1"}

    airflow.mount("/flightline", menu.app)
    yield one
    menu._pages().dependency_overrides.clear()
