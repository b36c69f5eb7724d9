import argparse
import importlib.util
from types import SimpleNamespace

import pytest

from include.foundation.errors import MissingInput
from include.steps.__main__ import PERMANENT, main, parser


def raising(error):
    def raises(*arguments):
        raise error

    return raises


COMMANDS = {"prepare", "check", "trial", "fit", "register", "gate", "train"}
COMMANDS |= {"bundle", "sample", "monitor", "score", "deploys"}


def test_every_argument_of_every_command_has_help():
    (steps,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert set(steps.choices) == COMMANDS
    for name, step in steps.choices.items():
        for action in step._actions:
            assert action.help, f"{name} {action.option_strings or action.dest}"


def test_the_exit_code_says_whether_a_retry_can_help(monkeypatch, capsys):
    monkeypatch.setattr("include.steps.__main__.run", raising(MissingInput("not there yet")))
    assert main(["trial", "--run-id", "r"]) == 1
    monkeypatch.undo()
    capsys.readouterr()
    monkeypatch.setenv("FLIGHTLINE_DEVICE", "tpu")
    assert main(["trial", "--run-id", "r"]) == PERMANENT
    assert capsys.readouterr().err.startswith("InvalidInput: FLIGHTLINE_DEVICE is 'tpu'")


def test_endpoints_that_are_not_set_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv("SIGOPT_API_URL", raising=False)
    assert main(["prepare", "flight_delays"]) == PERMANENT
    told = capsys.readouterr().err
    assert "SIGOPT_API_URL" in told
    assert "MLFLOW" not in told
    assert not list(tmp_path.iterdir())


def test_a_wrong_date_is_told_at_once(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "flight_delays", "--start", "2013-13-01"])
    assert "--start" in capsys.readouterr().err


def test_an_exception_of_the_use_case_s_model_is_final_and_named(monkeypatch, capsys, tmp_path):
    code = tmp_path / "rain" / "model.py"
    code.parent.mkdir()
    code.write_text("def fit():\n    return 1 / 0\n")
    spec = importlib.util.spec_from_file_location("model", code)
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    monkeypatch.setattr("include.steps.__main__.Training.from_env", lambda _: SimpleNamespace(part=model))
    monkeypatch.setattr("include.steps.__main__.fit", lambda training: training.part.fit())
    assert main(["fit", "--run-id", "r"]) == PERMANENT
    assert "rain/model.py, line 2, in fit(): ZeroDivisionError" in capsys.readouterr().err
