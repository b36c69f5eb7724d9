"""A use case of three classes and one of a quantity, from landed files to answers of a real serving process."""

import json
import shutil
import subprocess

import httpx
import pytest

from include.foundation.problem import KINDS
from include.foundation.spec import load
from include.stages.promotion.smoke import smoke
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running
from tests.integration import trips
from tests.integration.tuning.conftest import Tuning

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]
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
    trips.write(root, "crowding", "mistaken", "duration")
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


@pytest.mark.parametrize("name", ["crowding", "duration"])
def test_from_landed_files_to_served_answers(name, tree, step, lake, s3, postgres_dsn, mlflow_url, tmp_path):
    from mlflow import MlflowClient

    trips.land(lake, name)
    step("-c", BUILD, name, *map(str, trips.DAYS))
    run_id = json.loads(step("-m", "include.steps", "prepare", name))["run_id"]
    assert json.loads(step("-m", "include.steps", "trial", "--run-id", run_id)) == {"trials": trips.TRIALS}
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
        assert answer["class"] in trips.CLASSES
        assert list(answer["probabilities"]) == trips.CLASSES == model["parameters"]["classes"]
        assert (output["name"], output["shape"]) == ("probabilities", [2, 3])
        assert output["data"][:3] == pytest.approx(list(expected[0].values()), abs=1e-6)
        assert model["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]
    else:
        assert answer["value"] == pytest.approx(expected[0]["value"], rel=1e-5)
        assert (output["name"], output["shape"]) == ("value", [2])
        assert model["outputs"] == [{"name": "value", "datatype": "FP32", "shape": [-1]}]
    assert "probability" not in answer
    assert model["parameters"]["problem"] == spec.problem
    assert "flightline_serving_score_bucket" in metrics


def test_three_classes_under_binary_are_refused_at_gold(step, lake):
    trips.land(lake, "mistaken")
    refusal = r"labels of a binary problem are true and false, .*'(calm|crowded|packed)' of '01-0'"
    with pytest.raises(AssertionError, match=refusal):
        step("-c", BUILD, "mistaken", *map(str, trips.DAYS[:3]))
