"""Publishing to the marketplace and running jobs there: a real container of a bundle, asked by gRPC."""

import json
import os
import subprocess
import tarfile
from io import BytesIO
from types import SimpleNamespace

import httpx
import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline.exceptions import ModzyFailed, ModzyRefused, ModzyUnavailable
from flightline.hooks.modzy import ModzyHook
from flightline.operators.modzy import ModzyPublishOperator, ModzyRetireOperator, ModzyRunOperator
from include.stages.promotion.marketplace import card
from sandbox.supervisor.service import REPO, python
from tests.integration import marketplace
from tests.integration.marketplace import KEY, SPEC

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def versions(lake):
    return marketplace.versions(lake)


@pytest.fixture(scope="module")
def records():
    return marketplace.requests(400)


@pytest.fixture(scope="module")
def history(records):
    return marketplace.histories(records)


@pytest.fixture(scope="module")
def bundles(lake, versions, history, tmp_path_factory):
    """The bundles of both versions, and the folder of the first."""
    folder = tmp_path_factory.mktemp("edge") / "bundle"
    first = marketplace.bundle(lake, versions, "1", history, folder=folder)
    return {"1": first, "2": marketplace.bundle(lake, versions, "2", history), "folder": folder}


@pytest.fixture(scope="module")
def rest(lake, versions, history, records, postgres_database, tmp_path_factory):
    """What the REST service says, with history from the online table."""
    dsn = postgres_database()
    marketplace.publish(dsn, history)
    with marketplace.rest(tmp_path_factory.mktemp("rest") / "log", lake, versions["1"], dsn) as url:
        return httpx.post(url, json={"records": records}, timeout=120).raise_for_status().json()


@pytest.fixture(scope="module")
def modzy(lake, bundles, tmp_path_factory):
    place = bundles["1"]["uri"].rpartition("/")[0]
    with marketplace.modzy(tmp_path_factory.mktemp("modzy"), lake.s3, place) as one:
        yield one


@pytest.fixture
def connected(monkeypatch, modzy, lake):
    """The Connections `modzy` and `lake`."""
    where = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": modzy.port, "password": KEY}
    monkeypatch.setenv("AIRFLOW_CONN_MODZY", json.dumps(where))
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", lake)
    return ModzyHook()


def _card(version, bundled, records, rest):
    return card(
        SPEC,
        version=version.version,
        digest=version.tags["model_digest"],
        manifest="m" * 64,
        image=f"flightline/marketplace:{bundled['name']}",
        made_from="A day of flights.",
        judged="All gates passed.",
        records=records[:20],
        expected=[{"probability": answer["probability"]} for answer in rest[:20]],
    )


@pytest.fixture(scope="module")
def published(versions, bundles, records, rest):
    """The card of version 1."""
    return _card(versions["1"], bundles["1"], records, rest)


def _context():
    return {"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)}


def _publish(found):
    return ModzyPublishOperator(task_id="publish", card=found, deferrable=False, poll_seconds=0.05, timeout=600)


def test_a_failed_publication_resumes_at_its_step(connected, published, monkeypatch):
    calls, faults = [], [ModzyUnavailable("gone")]
    call = ModzyHook._call

    def fail_once(self, method, path, **more):
        calls.append(f"{method} {path.rpartition('/')[2]}")
        if path.endswith("/run-process") and method == "POST" and faults:
            raise faults.pop()
        return call(self, method, path, **more)

    monkeypatch.setattr(ModzyHook, "_call", fail_once)
    with pytest.raises(ModzyUnavailable):
        _publish(published).execute(_context())
    calls.clear()
    answer = _publish(published).execute(_context())
    assert answer["version"] == "1.0.0"
    assert "POST container-image" not in calls
    assert calls.index("POST run-process") < calls.index("PUT sample-output") < len(calls) - 1
    document = connected.version(answer["model"], "1.0.0")
    assert document["status"] == "active"
    assert published["mark"] in document["technicalDetails"]
    calls.clear()
    assert _publish(published).execute(_context()) == answer
    assert not [each for each in calls if not each.startswith("GET")], "what is active is left as it is"


def test_another_model_under_the_same_version_is_refused(connected, published):
    _publish(published).execute(_context())
    other = {**published, "mark": "model sha256:other", "digest": "b" * 64}
    with pytest.raises(ModzyRefused, match="is there with another model"):
        _publish(other).execute(_context())


def test_a_container_that_answers_otherwise_is_not_activated(connected, versions, bundles, records, rest, published):
    """Version 2's card with version 1's image: another model answers."""
    _publish(published).execute(_context())
    wrong = _card(versions["2"], bundles["1"], records, rest)
    with pytest.raises(ModzyFailed, match="does not answer as the version does"):
        _publish(wrong).execute(_context())
    model = connected.find(SPEC.title)
    assert connected.version(model, "2.0.0")["status"] != "active"
    assert ModzyRetireOperator(task_id="retire", model=SPEC.title, keep=["1.0.0"]).execute(_context()) == []
    with pytest.raises(AirflowFailException, match="is not active, so nothing is retired"):
        ModzyRetireOperator(task_id="retire", model=SPEC.title, keep=["2.0.0"]).execute(_context())


def test_a_job_and_a_bundle_at_the_edge_answer_what_rest_answers(connected, lake, bundles, records, rest, published):
    _publish(published).execute(_context())
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    source, target = f"{lake.models}/asked.jsonl", f"{lake.models}/answers.jsonl"
    lake.objects().put(source, lines)
    job = ModzyRunOperator(
        task_id="run", model=SPEC.title, source=source, target=target, batch=150, deferrable=False, poll_seconds=0.1
    )
    assert job.execute(_context())["records"] == len(records)
    assert [json.loads(line) for line in lake.objects().get(target).splitlines()] == rest
    assert len({answer["probability"] for answer in rest}) > 20
    assert any(answer["known_at"] for answer in rest)

    done = subprocess.run(
        [*_without_network(), bundles["folder"] / "run", "score"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python("serving")), "LANG": "C"},
        input=lines,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [json.loads(line) for line in done.stdout.splitlines()] == rest


def _without_network() -> list[str]:
    """What runs a command in a network namespace of its own, where that is allowed."""
    words = ["unshare", "-rn"]
    return words if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0 else []


def test_a_changed_file_of_a_bundle_is_refused(bundles, lake, tmp_path):
    with tarfile.open(fileobj=BytesIO(lake.objects().get(bundles["1"]["uri"]))) as files:
        files.extractall(tmp_path, filter="data")
    model = tmp_path / "bundle/model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    run = [tmp_path / "bundle/run", "score"]
    done = subprocess.run(run, env={"PATH": "/usr/bin:/bin"}, input=b"", capture_output=True, check=False)
    assert done.returncode == os.EX_DATAERR
    assert b"model.onnx: FAILED" in done.stdout + done.stderr


def test_a_bundle_made_again_is_the_same_and_holds_no_other_use_case(bundles, versions, history, lake):
    assert marketplace.bundle(lake, versions, "1", history) == bundles["1"]
    names = [path.name for path in (bundles["folder"] / "code/include/use_cases").iterdir() if path.is_dir()]
    assert names == [SPEC.name]


def test_the_published_client_deploys_and_runs_jobs(modzy, bundles, records, rest, tmp_path):
    """Modzy's own Python client, in its own environment."""
    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps({"records": records[:3]}))
    asked = {
        "url": f"{modzy.url}/api",
        "key": KEY,
        "image": f"flightline/marketplace:{bundles['1']['name']}",
        "sample": str(sample),
        "records": records[:5],
    }
    script = REPO / "tests/integration/modzy_client.py"
    done = subprocess.run(
        [python("modzy"), script], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["status"] == "active"
    assert said["text"] == said["embedded"] == said["file"] == rest[:5]
    assert said["jobs"] >= 3
    assert "no input" in said["refused"]
