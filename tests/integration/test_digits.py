"""`digits` from landed batches to a judged version: the steps as its training pods run them, with PyTorch."""

import csv
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from include.foundation.spec import load
from include.stages.features.build import build
from include.stages.ingest.run import run as ingest
from sandbox.demo.data import digits
from sandbox.supervisor.service import REPO, python, running
from tests.integration.tuning.conftest import Tuning

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]
SPEC, TRIALS = load("digits"), 2
DAYS = [digits.FIRST + timedelta(days=n) for n in range((digits.DEMO_LAST - digits.FIRST).days + 1)]


@pytest.fixture(scope="module")
def tuning(postgres_database, service_home):
    one = Tuning(postgres_database(), service_home)
    with running(one._service, log=service_home / "tuning-of-digits.log", timeout_seconds=120):
        yield one


def test_from_landed_batches_to_a_version_that_passes_its_gates(lake, mlflow_url, tuning, tmp_path):
    from mlflow import MlflowClient

    env = {
        **lake.env(),
        "SIGOPT_API_URL": tuning.url,
        "SIGOPT_API_TOKEN": tuning.token,
        "MLFLOW_TRACKING_URI": mlflow_url,
        "FLIGHTLINE_COMMIT": "0" * 40,
        "PYTHONPATH": str(REPO),
        "PATH": "/usr/bin:/bin",
    }

    def run(runtime, *words):
        done = subprocess.run([python(runtime), *words], cwd=REPO, env=env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def step(*words):
        return json.loads(run(SPEC.training.runtime, "-m", "include.steps", *words).strip().splitlines()[-1])

    words = ("--use-case", "digits", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    assert "28 files landed" in run(digits.ENVIRONMENT, "-m", "sandbox.demo.landing", *words)
    ingest(lake, SPEC, DAYS, run_id="digits")
    build(lake, SPEC, DAYS[0], DAYS[-1])

    run_id = step("prepare", "digits", "--trials", str(TRIALS))["run_id"]
    assert step("trial", "--run-id", run_id) == {"trials": TRIALS}
    fitted = step("fit", "--run-id", run_id)
    assert fitted["accuracy"] > 0.9
    assert fitted["deviation"] < 1e-5
    version = step("register", "--run-id", run_id)["version"]
    assert step("gate", "--run-id", run_id, "--version", version) == {"passed": True, "failed": []}

    client = MlflowClient(mlflow_url)
    with Path(client.download_artifacts(run_id, "model/forms.csv", str(tmp_path))).open() as file:
        forms = {row["form"]: row for row in csv.DictReader(file)}
    assert all(forms[name]["digest"] for name in ("float32", "optimized", "int8")), forms
    assert [row["digest"] for row in forms.values() if row["ships"] == "yes"] == [fitted["digest"]]
    epochs = [metric.step for metric in client.get_metric_history(run_id, "fit_loss")]
    assert epochs == [*range(1, len(epochs) + 1)]
    experiment = client.get_run(run_id).info.experiment_id
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert all(len(client.get_metric_history(trial.info.run_id, "valid_loss")) > 1 for trial in trials)
    observed = tuning.client().experiments(client.get_run(run_id).data.tags["flightline.tuning"]).observations()
    assert {each.metadata["ended_early"] for each in observed.fetch().iterate_pages()} <= {"true", "false"}
    assert not [*lake.objects().list(f"{lake.models}/_checkpoints/")], "a finished fit needs none"
