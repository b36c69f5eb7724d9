"""The compiled pipeline is the one that its source compiles to."""

import subprocess

import pytest
import yaml

from flightline.backends.kubeflow import TEMPLATE
from include.foundation.evidence.code import ROOT
from sandbox.kubeflow import pipelines
from sandbox.supervisor.service import python


@pytest.mark.long
def test_the_kept_file_is_what_is_compiled(tmp_path):
    made = tmp_path / "step.yaml"
    command = (str(python("kfp")), "-m", "include.steps.pipeline", str(made))
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = "run `.venv/kfp/bin/python -m include.steps.pipeline`"
    assert list(yaml.safe_load_all(made.read_text())) == list(yaml.safe_load_all(TEMPLATE.read_text())), told


def test_its_one_step_runs_the_component_with_the_parameters_of_the_run():
    spec, platform = pipelines.read(TEMPLATE.read_text())
    given = {"arguments": ["-V"], "environment": {"A": "b"}, "failure": "s3://f"}
    (step,) = pipelines.steps(spec, platform, pipelines.parameters(spec, given))
    assert step.command == [
        *("python", "-m", "include.steps.component", "--arguments", '["-V"]', "--environment", '{"A": "b"}'),
        *("--failure", "s3://f", "--secrets", "/etc/flightline"),
    ]
    assert step.secrets == {"/etc/flightline": "flightline-trainer"}
