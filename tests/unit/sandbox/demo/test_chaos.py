"""Who is killed and when, and what counts as the right end; `make chaos` itself takes minutes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from sandbox.demo import chaos
from sandbox.demo.chaos import End, Kill, phase_of, plan
from sandbox.supervisor.home import Home, write

RIGHT = End(
    code=0,
    versions=["1"],
    champion="1",
    trials={"FINISHED": 11, "KILLED": 1},
    rows=chaos.GOLD_ROWS,
    ids=chaos.GOLD_ROWS,
)


def test_a_seed_repeats_its_kills() -> None:
    assert plan(3) == plan(3)
    drawn = [plan(seed) for seed in range(1, 201)]
    assert {kill.victim for kills in drawn for kill in kills} == {*chaos.SERVICES, chaos.POD}
    assert {kill.phase for kills in drawn for kill in kills} == set(chaos.PHASES)
    for first, second in drawn:
        assert chaos.PHASES.index(first.phase) < chaos.PHASES.index(second.phase)
        assert 0 <= first.delay <= chaos.LONGEST_DELAY_SECONDS


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("  12.3 s  flight_delays.ingest: publish success (2.0 s)\n", "ingest"),
        ("  99.0 s  flight_delays.train: trial[2] up_for_retry (0.1 s)\n", "train"),
        ("   1.0 s  triggered flight_delays.ingest for 2013-01-01 to 2013-04-30\n", None),
        ("   1.0 s    still running: train trial\n", None),
        ("| promote | by hand | success | 12.0 | champion is version 1 |\n", None),
    ],
)
def test_phases_are_read_from_the_tasks_that_ended(line, phase) -> None:
    assert phase_of(line) == phase


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"code": 1}, "exit code: 1, expected 0"),
        ({"versions": ["1", "2"]}, "versions: "),
        ({"champion": None}, "champion: None, expected 1"),
        ({"trials": {"FINISHED": 13}}, "trials: 13, expected 12"),
        ({"rows": 5, "ids": 5}, "rows of gold: 5, "),
        ({"ids": 7}, "different ids in gold: 7, "),
    ],
)
def test_an_end_that_differs_is_named(change, fault) -> None:
    faults = replace(RIGHT, **change).faults()
    assert [each.startswith(fault or "") for each in faults] == ([True] if fault else [])


def test_the_demos_phases_start_the_kills(tmp_path, capsys) -> None:
    victim = subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)"))
    try:
        write(tmp_path / "status.json", f'{{"services": [{{"name": "mlflow", "pid": {victim.pid}}}]}}')
        said = "   1.0 s  flight_delays.train: freeze success (1 s)"
        code = f"import time\nprint({said!r}, flush=True)\nprint({said!r}, flush=True)\ntime.sleep(0.3)\nexit(4)"
        demo = subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True, env=os.environ)
        with demo:
            assert chaos.watch(demo, (Kill("promote", "sigopt", 0), Kill("train", "mlflow", 0.1)), Home(tmp_path)) == 4
        assert victim.wait(10) == -9
    finally:
        victim.kill()
        victim.wait()
    assert capsys.readouterr().out.count("--- killed mlflow 0.1 s into train") == 1
