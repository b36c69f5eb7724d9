"""The tuning service is killed, stopped, or has no database."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.supervisor.service import REPO, python

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("budget", "kills"), [(8, 1), pytest.param(30, 12, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
def test_killed_service(own_tuning, budget, kills):
    """Killed while two workers work: what was acknowledged is there, nothing is there twice."""
    tuning, told = own_tuning(), []
    with tuning.run():
        made = tuning.make(budget=budget)
    finished = threading.Event()

    def kill_and_restart():
        for _ in range(kills):
            with tuning.run() as process:
                finished.wait(1)
                process.kill()
        with tuning.run():
            finished.wait()

    killer = threading.Thread(target=kill_and_restart)
    killer.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda name: tuning.work(made, name, on_trial=told.append), ["a", "b"]))
    finally:
        finished.set()
        killer.join()
    with tuning.run():
        observed = tuning.history(made)
    assert sum(done) == len(told) == len(observed) == budget
    acknowledged = {each.suggestion: each.values["loss"] for each in told}
    assert {each.suggestion: each.value for each in observed} == acknowledged
    assert Counter(each.failed for each in observed) == {False: budget}


def test_sigterm_answers_first(own_tuning):
    tuning = own_tuning()
    with tuning.run() as process, ThreadPoolExecutor(1) as pool:
        made = tuning.make()
        tuning.add(made, *({"x": x, "y": x} for x in range(6)))
        asked = pool.submit(tuning.ask, made)
        time.sleep(0.1)
        process.terminate()
        assert asked.result().state == "open"
        assert process.wait(30) == -signal.SIGTERM or process.returncode == 0


def test_database_is_gone(service_home):
    token = service_home / "lone.token"
    token.write_text("t")
    command = [str(python("tuning")), "-m", "include.services.tuning"]
    done = subprocess.run(
        [*command, "--dsn", "host=127.0.0.1 port=1", "--token-file", str(token)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the database does not answer, start it first" in done.stderr
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SIGOPT", "FLIGHTLINE"))}
    done = subprocess.run(command, cwd=REPO, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "give --dsn or FLIGHTLINE_TUNING_DSN, and --token-file or SIGOPT_API_TOKEN" in done.stderr
