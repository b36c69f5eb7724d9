"""The stand-in, held to the published description of the API, and driven by the hook that the backend uses."""

import json
import re
import sys
import threading
import time
from pathlib import Path

import httpx
import jsonschema
import pytest
import uvicorn
import yaml

from flightline.backends.kubeflow import pipeline_of
from flightline.exceptions import KubeflowRefused
from flightline.hooks.kubeflow import KubeflowHook
from include.foundation.jobs import Job
from sandbox.kubeflow.api import Api

SWAGGER = json.loads((Path(__file__).parent / "used.swagger.json").read_text())
JOB = Job(name="fit", arguments=("-c", "print('hello')"), image="flightline/trainer:1")


class Described(httpx.HTTPTransport):
    """Every request and every answer is held to the API's description."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def handle_request(self, request):
        response = super().handle_request(request)
        response.read()
        path, operation = _operation(request)
        self.seen.add((request.method, path))
        known = {each["name"]: each for each in operation.get("parameters", [])}
        assert {*request.url.params} <= {name for name, each in known.items() if each["in"] == "query"}
        bodies = [each for each in known.values() if each["in"] == "body"]
        if bodies:
            _check(json.loads(request.content or b"{}"), bodies[0]["schema"])
        if response.is_success:
            _check(response.json(), operation["responses"]["200"]["schema"])
        return response


def _operation(request):
    for path, verbs in SWAGGER["paths"].items():
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/:]+", re.escape(path))
        if request.method.lower() in verbs and re.fullmatch(pattern, request.url.path):
            return path, verbs[request.method.lower()]
    raise AssertionError(f"{request.method} {request.url.path} is none of the API's")


def _check(document, schema):
    """Types and allowed values, and no field that the description lacks."""
    definitions = {name: _closed(each) for name, each in SWAGGER["definitions"].items()}
    jsonschema.validate(document, {**schema, "definitions": definitions})


def _closed(schema):
    free = "properties" in schema and "additionalProperties" not in schema and "@type" not in schema["properties"]
    return {**schema, "additionalProperties": False} if free else schema


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    home = tmp_path_factory.mktemp("kubeflow")
    image = {"path": str(Path(sys.executable).parent), "workdir": str(home)}
    (home / "images.json").write_text(json.dumps({"flightline/trainer": image}))
    (home / "secrets.json").write_text(json.dumps({"flightline-trainer": {"A": "b"}}))
    api = Api(state=home, images=home / "images.json", secrets=home / "secrets.json", token="t0k3n")
    server = uvicorn.Server(uvicorn.Config(api.app(), host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def hook(port, monkeypatch):
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": port, "schema": "http", "password": "t0k3n"}
    monkeypatch.setenv("AIRFLOW_CONN_KUBEFLOW", json.dumps(connection))
    made = KubeflowHook()
    made._client._transport = Described()
    return made


def request(hook, name, **parameters):
    pipeline = hook.pipeline("flights-train")
    places = {"failure": "s3://models/f.json", "result": "s3://models/r.json"}
    given = {"arguments": ["-V"], "environment": {}, **places, **parameters}
    return {
        "display_name": name,
        "experiment_id": hook.experiment("flights.train"),
        "pipeline_version_reference": {
            "pipeline_id": pipeline,
            "pipeline_version_id": hook.version(pipeline, "content", pipeline_of(JOB)),
        },
        "runtime_config": {"parameters": given},
    }


def ended(hook, run_id, *states):
    deadline = time.monotonic() + 60
    while (run := hook.run(run_id)).get("state") not in (states or ("SUCCEEDED", "FAILED", "CANCELED")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def test_what_the_hook_sends_and_gets_is_as_the_api_is_described(hook):
    run = hook.create(request(hook, "fit-1"))
    found = ended(hook, run["run_id"])
    assert found["state"] == "FAILED", "this image has no include.steps"
    assert [each["state"] for each in found["state_history"]] == ["PENDING", "RUNNING", "FAILED"]
    assert found["run_details"]["task_details"][0]["error"]["message"].endswith("(exit code 1)")
    hook.terminate(run["run_id"])
    assert hook.run("absent") is None
    assert [each["run_id"] for each in hook.runs("fit-1")] == [run["run_id"]]
    used = {(verb.upper(), path) for path, verbs in SWAGGER["paths"].items() for verb in verbs}
    assert used - hook._client._transport.seen == {
        ("GET", "/apis/v2beta1/healthz"),
        ("POST", "/apis/v2beta1/runs/{run_id}:terminate"),
    }


WHOLE = Job(name="train", arguments=("-V",), image="flightline/trainer:1", parts={"trials": [["-V"]]})
AFTER = dict.fromkeys(("fit", "register", "gate"), (0, 0))
RUNS = """
import json, pathlib, sys, time
mark, seconds, code = json.loads(sys.argv[1])
pathlib.Path(mark).touch()
time.sleep(seconds)
sys.exit(code)
"""


def whole(hook, name, tmp_path, **parts):
    """A run of a whole training whose tasks are `(seconds, exit code)`; each leaves a file when it begins."""
    spec, platform = yaml.safe_load_all(pipeline_of(WHOLE))
    for each in spec["deploymentSpec"]["executors"].values():
        each["container"] |= {"command": ["python", "-c", RUNS], "args": ["{{$.inputs.parameters['arguments']}}"]}
    document = yaml.safe_dump_all([spec, platform])
    asked = request(hook, name)
    pipeline = asked["pipeline_version_reference"]["pipeline_id"]
    asked["pipeline_version_reference"]["pipeline_version_id"] = hook.version(pipeline, "whole", document)

    def words(of, seconds, code):
        return [str(tmp_path / of), seconds, code]

    parameters = asked["runtime_config"]["parameters"]
    del parameters["arguments"]
    parameters["trials"] = [words(f"trial-{n}", *each) for n, each in enumerate(parts.pop("trials"))]
    parameters |= {step: words(step, *each) for step, each in parts.items()}
    return hook.create(asked)["run_id"]


def states(run):
    return [each.get("state") for each in run["run_details"]["task_details"]]


def test_items_of_a_loop_run_side_by_side_and_what_depends_on_it_once_all_have_succeeded(hook, tmp_path):
    run = ended(hook, whole(hook, "side", tmp_path, trials=[(1, 0), (1, 0)], **AFTER))
    assert states(run) == ["SUCCEEDED"] * 5
    first, second, fit, _, gate = run["run_details"]["task_details"]
    assert second["start_time"] < first["end_time"]
    assert fit["start_time"] > max(first["end_time"], second["end_time"])
    assert gate["start_time"] > fit["end_time"]


def test_after_a_failure_what_runs_ends_and_nothing_else_begins(hook, tmp_path):
    run = ended(hook, whole(hook, "fails", tmp_path, trials=[(0, 3), (1, 0)], **AFTER))
    assert run["state"] == "FAILED"
    assert run["error"]["message"] == "task trial failed"
    while states(run)[1] == "RUNNING":
        run = hook.run(run["run_id"])
    assert states(run) == ["FAILED", "SUCCEEDED", None, None, None]
    assert not (tmp_path / "fit").exists()


def test_a_program_that_is_not_there_fails_the_run(hook):
    asked = request(hook, "nothing")
    spec, platform = yaml.safe_load_all(pipeline_of(JOB))
    (executor,) = spec["deploymentSpec"]["executors"].values()
    executor["container"]["command"] = ["no-such-program"]
    reference = asked["pipeline_version_reference"]
    document = yaml.safe_dump_all([spec, platform])
    reference["pipeline_version_id"] = hook.version(reference["pipeline_id"], "no program", document)
    run = ended(hook, hook.create(asked)["run_id"])
    assert (run["state"], states(run)) == ("FAILED", ["FAILED"])
    assert "no-such-program" in run["run_details"]["task_details"][0]["error"]["message"]


def test_a_terminated_run_ends_all_its_tasks(hook, tmp_path):
    run_id = whole(hook, "ends", tmp_path, trials=[(60, 0), (60, 0)], **AFTER)
    while not all((tmp_path / f"trial-{n}").exists() for n in range(2)):
        time.sleep(0.02)
    hook.terminate(run_id)
    assert states(ended(hook, run_id)) == ["CANCELED", "CANCELED", None, None, None]


def test_a_pipeline_a_version_and_an_experiment_are_made_once(hook):
    first, second = (request(hook, "once")["pipeline_version_reference"] for _ in range(2))
    assert first == second
    assert hook.experiment("flights.train") == hook.experiment("flights.train")
    assert hook.version(first["pipeline_id"], "other", pipeline_of(JOB)) != first["pipeline_version_id"]


def test_every_run_of_the_same_request_is_another_as_the_api_knows_no_key(hook):
    asked = request(hook, "twice")
    assert hook.create(asked)["run_id"] != hook.create(asked)["run_id"]
    assert len(hook.runs("twice")) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runtime_config": {"parameters": {"arguments": "fit"}}}, "requires type LIST"),
        ({"runtime_config": {"parameters": {"absent": 1}}}, "parameter absent is not found"),
        ({"runtime_config": {}}, "parameter arguments is not optional"),
        ({"experiment_id": "absent"}, "Experiment absent not found"),
        ({"surprise": 1}, 'unknown field "surprise"'),
    ],
)
def test_what_the_api_would_refuse_is_refused_in_its_words(port, change, said):
    headers = {"Authorization": "Bearer t0k3n"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/apis/v2beta1", headers=headers) as client:
        made = KubeflowHook.__new__(KubeflowHook)
        made.__dict__.update(_client=httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers), extra={})
        answer = client.post("/runs", json={**request(made, "wrong"), **change})
    assert answer.status_code in (400, 404)
    assert said in answer.json()["details"][0]["message"]


def test_a_file_that_is_no_pipeline_is_refused_by_the_upload_s_own_answer(hook):
    with pytest.raises(KubeflowRefused, match="unknown template format"):
        hook.version(hook.pipeline("flights-train"), "broken", "a: [1")


def test_a_client_without_the_token_or_by_another_name_is_sent_away(port):
    url = f"http://127.0.0.1:{port}/apis/v2beta1/runs"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421


def test_a_body_that_is_too_large_or_too_deep_is_refused(port, monkeypatch):
    url, headers = f"http://127.0.0.1:{port}/apis/v2beta1/experiments", {"Authorization": "Bearer t0k3n"}
    deep = httpx.post(url, headers=headers, content=b'{"a":' * 5000 + b"1" + b"}" * 5000)
    assert (deep.status_code, "levels deep" in deep.text) == (400, True)
    deep = httpx.get(url, headers=headers, params={"filter": "[" * 5000})
    assert (deep.status_code, "levels deep" in deep.text) == (400, True)
    monkeypatch.setattr("sandbox.kubeflow.api.MAX_BYTES", 10)
    assert httpx.post(url, headers=headers, json={"display_name": "flights"}).status_code == 413
