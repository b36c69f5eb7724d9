"""The compiled pipelines are those that their source compiles to, and run what the backend puts in."""

import subprocess

import pytest
import yaml

from flightline.backends.kubeflow import TEMPLATES
from include.foundation.evidence.code import ROOT
from sandbox.kubeflow import pipelines
from sandbox.supervisor.service import python


@pytest.mark.long
def test_the_kept_files_are_what_is_compiled(tmp_path):
    command = (str(python("kfp")), "-m", "include.steps.pipeline", str(tmp_path))
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = "run `.venv/kfp/bin/python -m include.steps.pipeline`"
    for name in ("step.yaml", "train.yaml"):
        kept, made = ((folder / name).read_text() for folder in (TEMPLATES, tmp_path))
        assert list(yaml.safe_load_all(made)) == list(yaml.safe_load_all(kept)), told


def steps(name, **given):
    spec, platform = pipelines.read((TEMPLATES / name).read_text())
    given |= {"environment": {"A": "b"}, "failure": "s3://f", "result": "s3://r"}
    return pipelines.steps(spec, platform, pipelines.parameters(spec, given))


def command(arguments, result):
    return [
        *("python", "-m", "include.steps.component", "--arguments", arguments, "--environment", '{"A": "b"}'),
        *("--failure", "s3://f", "--result", result, "--secrets", "/etc/flightline"),
    ]


def test_its_one_step_runs_the_component_with_the_parameters_of_the_run():
    (step,) = steps("step.yaml", arguments=["-V"])
    assert step.command == command('["-V"]', "s3://r")
    assert step.secrets == {"/etc/flightline": "flightline-trainer"}


def test_a_training_runs_its_trials_side_by_side_then_the_rest_in_turn_and_the_last_leaves_the_record():
    made = steps("train.yaml", trials=[["a"], ["b"]], fit=["c"], register=["d"], gate=["e"])
    assert [step.shown for step in made] == ["trial", "trial", "fit", "register", "gate"]
    first, second, fit, register, gate = made
    assert (first.after, second.after) == (set(), set())
    assert fit.after == {first.name, second.name}
    assert fit.name in register.after
    assert register.name in gate.after
    assert first.command == command('["a"]', "")
    assert second.command == command('["b"]', "")
    assert gate.command == command('["e"]', "s3://r")
    assert all(step.secrets == {"/etc/flightline": "flightline-trainer"} for step in made)


def test_more_tasks_than_a_run_may_have_are_refused():
    rest = {"fit": ["c"], "register": ["d"], "gate": ["e"]}
    assert len(steps("train.yaml", trials=[["a"]] * 400, **rest)) == 403
    with pytest.raises(pipelines.InvalidPipeline, match="more than 500 tasks"):
        steps("train.yaml", trials=[["a"]] * 600, **rest)
