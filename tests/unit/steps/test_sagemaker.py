"""The training image by SageMaker's container contract, run exactly so but for the place of /opt/ml."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from include.foundation.evidence.code import ROOT
from include.foundation.jobs import PERMANENT
from include.steps import sagemaker


@pytest.fixture
def base(tmp_path):
    """The folders of a job, as SageMaker lays them out."""
    base = tmp_path / "ml"
    for folder in ("input/config", "input/data/extra-rows", "model", "output", "checkpoints"):
        (base / folder).mkdir(parents=True)
    write(base, "resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})
    write(base, "inputdataconfig.json", {"extra-rows": {"TrainingInputMode": "File"}})
    return base


def write(base, name, document):
    (base / "input/config" / name).write_text(json.dumps(document))


def asked(base, *arguments):
    write(base, "hyperparameters.json", {"arguments": json.dumps(arguments)})


def container(base, *command, **env):
    """The container of a job."""
    words = command or (sys.executable, "-m", "include.steps.sagemaker")
    own = {"SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    return subprocess.Popen(words, env={**own, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_step_finds_the_folders_and_its_name_and_leaves_a_model(base):
    names = ("SM_MODEL_DIR", "SM_CHECKPOINT_DIR", "SM_CHANNEL_EXTRA_ROWS", "POD_NAME", "GIVEN")
    asked(
        base, "-c", f"import os; [print(n, os.environ[n]) for n in {names}]; open(os.environ['SM_MODEL_DIR']+'/m','w')"
    )
    job = container(base, TRAINING_JOB_NAME="fit-1", GIVEN="by the job")
    told = dict(line.split(" ", 1) for line in job.communicate(timeout=60)[0].splitlines())
    assert job.returncode == 0
    assert told == {
        "SM_MODEL_DIR": str(base / "model"),
        "SM_CHECKPOINT_DIR": str(base / "checkpoints"),
        "SM_CHANNEL_EXTRA_ROWS": str(base / "input/data/extra-rows"),
        "POD_NAME": "fit-1",
        "GIVEN": "by the job",
    }
    assert (base / "model/m").exists()
    assert not (base / "output/failure").exists()


def test_the_image_answers_to_train(base, tmp_path):
    """What SageMaker gives to the image's entrypoint, `python`, when a job names none."""
    assert "ln -s include/steps/sagemaker.py /srv/train" in (ROOT / "Dockerfile").read_text()
    (tmp_path / "train").symlink_to(ROOT / "include/steps/sagemaker.py")
    asked(base, "-c", "print('trained')")
    job = container(base, sys.executable, str(tmp_path / "train"))
    assert job.communicate(timeout=60)[0] == "trained\n"
    assert job.returncode == 0


def test_a_failed_step_tells_its_exit_code_and_its_last_words(base):
    asked(base, "-m", "include.steps", "trial", "--run-id", "r")
    job = container(base, FLIGHTLINE_DEVICE="tpu")
    assert "FLIGHTLINE_DEVICE is 'tpu'" in job.communicate(timeout=60)[0]
    assert job.returncode == PERMANENT
    assert (base / "output/failure").read_text().startswith(f"exit code {PERMANENT}: InvalidInput: FLIGHTLINE_DEVICE")


def test_a_failure_is_as_long_as_sagemaker_keeps_and_ends_with_the_end(base):
    asked(base, "-c", "import sys; print('x' * 5000); sys.exit('the end')")
    assert container(base).wait(60) == 1
    failure = (base / "output/failure").read_text()
    assert len(failure) == 1024
    assert failure.startswith("exit code 1: ")
    assert failure.endswith("the end")


def test_a_stop_reaches_the_step_and_is_no_failure(base):
    asked(base, "-c", "import time; print('at work', flush=True); time.sleep(60)")
    job = container(base)
    assert job.stdout.readline() == "at work\n"
    began = time.monotonic()
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 30
    assert not (base / "output/failure").exists()


@pytest.mark.parametrize(
    ("name", "document", "said"),
    [
        ("hyperparameters.json", {"arguments": "fit"}, "must be a JSON list of what follows `python`"),
        ("hyperparameters.json", {}, "`arguments` is None"),
        ("hyperparameters.json", [], "is not a JSON object"),
        ("resourceconfig.json", {"hosts": ["algo-1", "algo-2"]}, "the job has 2 hosts"),
        ("inputdataconfig.json", {"rows": {"TrainingInputMode": "Pipe"}}, "ask for TrainingInputMode File"),
        ("inputdataconfig.json", {"absent": {}}, "channel 'absent' is not there"),
    ],
)
def test_what_the_contract_does_not_promise_is_final_and_named(base, name, document, said):
    asked(base, "-c", "raise SystemExit('it ran')")
    write(base, name, document)
    assert sagemaker.main({"SAGEMAKER_BASE_DIR": str(base)}) == PERMANENT
    failure = (base / "output/failure").read_text()
    assert said in failure
    assert failure.startswith(f"exit code {PERMANENT}: InvalidInput")


def test_elsewhere_than_in_a_training_job_it_says_so(tmp_path):
    assert sagemaker.main({"SAGEMAKER_BASE_DIR": str(tmp_path)}) == PERMANENT
    assert "this is no training job of SageMaker" in (tmp_path / "output/failure").read_text()


class Secrets:
    """Secrets Manager with one answer."""

    def __init__(self, status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
            "FLIGHTLINE_SECRET": "flightline/trainer",
        }

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_step_gets_the_variables_of_the_secret(base):
    asked(base, "-c", "import os; print(os.environ['SIGOPT_API_TOKEN'])")
    with Secrets(200, {"SecretString": json.dumps({"SIGOPT_API_TOKEN": "t0k3n"})}) as env:
        job = container(base, **env)
        assert job.communicate(timeout=60)[0] == "t0k3n\n"


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (400, {"__type": "AccessDeniedException", "message": "no"}, PERMANENT, "AccessRefused: secret 'flightline/"),
        (400, {"__type": "ResourceNotFoundException", "message": "no"}, PERMANENT, "AccessRefused"),
        (500, {"__type": "InternalServiceError", "message": "later"}, 1, "ServiceUnavailable"),
        (200, {"SecretString": "word"}, PERMANENT, "must hold one JSON object"),
    ],
)
def test_without_its_secret_a_job_fails(base, monkeypatch, status, body, code, said):
    asked(base, "-c", "raise SystemExit('it ran')")
    with Secrets(status, body) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert sagemaker.main({**env, "SAGEMAKER_BASE_DIR": str(base)}) == code
    assert said in (base / "output/failure").read_text()
