"""What each dependency that reports home is told, so that none does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include import TELEMETRY_OFF
from sandbox.endpoints import Endpoints
from sandbox.services import catalogue

ROOT = Path(__file__).parents[2]
CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}


def told(code, **env):
    done = subprocess.run(
        [sys.executable, "-c", code], env=CLEAN | env, cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_importing_the_project_turns_mlflow_off_before_it_is_imported():
    # MLflow holds its tongue in CI too; these variables must not answer for ours.
    code = "import include\nfrom mlflow.telemetry.utils import is_telemetry_disabled\nprint(is_telemetry_disabled())"
    assert told(code) == "True"
    assert told(code.replace("import include\n", "")) == "False", "the switch is what decides"


def test_what_a_person_says_stays():
    assert told("import include, os; print(os.environ['DO_NOT_TRACK'])", DO_NOT_TRACK="0") == "0"


def test_onnxruntime_still_reads_its_switch():
    import onnxruntime

    package = Path(onnxruntime.__file__).parent
    assert any(b"ORT_DISABLE_TELEMETRY" in path.read_bytes() for path in package.rglob("*.so*"))


@pytest.mark.parametrize("name", ["mlflow", "scheduler", "api-server", "triggerer", "dag-processor"])
def test_services_that_do_not_start_with_our_code_have_the_switches(tmp_path, name, monkeypatch):
    monkeypatch.setenv("FLIGHTLINE_HOME", str(tmp_path))
    service = catalogue(Endpoints.from_env())[name]
    assert TELEMETRY_OFF.items() <= dict(service.env).items()


def test_images_and_compose_have_the_switches():
    for path in ("Dockerfile", "docker-compose.yaml"):
        text = (ROOT / path).read_text()
        assert "MLFLOW_DISABLE_TELEMETRY" in text, path
        assert "DO_NOT_TRACK" in text, path


def test_airflow_has_nothing_to_switch_off():
    """Airflow 3.3 collects no usage data any more; if that comes back, it needs a switch here."""
    config = Path(sys.prefix) / "lib/python3.11/site-packages/airflow/config_templates/config.yml"
    assert "usage_data" not in config.read_text()
