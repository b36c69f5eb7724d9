"""Workers on one experiment: shared budget, faults, kills."""

import math
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sigopt
from sigopt.exception import ConnectionException

from include.foundation.errors import InvalidInput
from include.stages.tuning.experiment import best
from include.stages.tuning.loop import run_worker
from sandbox.supervisor.service import REPO

pytestmark = pytest.mark.integration

WORKER = """
import sys, time
import sigopt
from include.stages.tuning.loop import run_worker
url, token, experiment, seconds = sys.argv[1:]
client = sigopt.Connection(client_token=token)
client.set_api_url(url)
def evaluate(point, progress):
    print("evaluating", progress.trial, flush=True)
    for _ in range(int(100 * float(seconds))):
        time.sleep(0.01)
    return point["x"]
print(run_worker(client, experiment, worker="pod", evaluate=evaluate, on_trial=lambda trial: print(trial, flush=True)))
"""


@pytest.fixture
def pod(tuning):
    """Start a worker process on an experiment; its trials take so many seconds."""
    started = []

    def start(experiment, seconds):
        words = (tuning.url, tuning.token, experiment, str(seconds))
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *words], cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_one_worker(tuning, client):
    made, trials, seen = tuning.make(budget=6, type="random"), [], []

    def evaluate(point, progress):
        seen.append((progress.trial, progress.budget))
        return {"loss": tuning.branin(point)}

    assert tuning.work(made, evaluate=evaluate, on_trial=trials.append) == 6
    assert seen == [(n, 6) for n in range(1, 7)]
    assert [trial.values["loss"] for trial in trials] == [each.value for each in tuning.history(made)]
    assert all(trial.failure is None and trial.seconds >= 0 for trial in trials)
    assert tuning.work(made) == 0  # nothing is left
    assert best(client, made.id)[1] == min(trial.values["loss"] for trial in trials)


@pytest.mark.parametrize("count", [2, 4])
def test_workers_share_the_budget(tuning, client, count):
    made, trials = tuning.make(budget=11, type="random"), []

    def evaluate(point, progress):
        time.sleep(0.05)
        return tuning.branin(point)

    with ThreadPoolExecutor(count) as pool:
        names = [f"worker {n}" for n in range(count)]
        done = list(pool.map(lambda name: tuning.work(made, name, evaluate, trials.append), names))
    assert sum(done) == len(trials) == 11
    assert all(done), done
    assert sorted(trial.progress.trial for trial in trials) == [*range(1, 12)]
    observed = tuning.history(made)
    assert len(observed) == 11
    assert len({tuple(each.assignments.values()) for each in observed}) == 11
    assert not list(client.experiments(made.id).suggestions().fetch(state="open").iterate_pages())


@pytest.mark.long
@pytest.mark.parametrize("bandwidth", [1, 4])
def test_the_same_trials_whatever_the_timing(tuning, bandwidth):
    """Twice by one worker and twice by four, each trial taking as long as chance will have it."""
    runs = []
    for count, seed in ((1, 0), (1, 1), (4, 2), (4, 3)):
        made, chance = tuning.make(budget=12, seed=7, parallel_bandwidth=bandwidth), random.Random(seed)

        def evaluate(point, progress, chance=chance, count=count):
            time.sleep(chance.random() / 4 if count > 1 else 0)
            return tuning.branin(point)

        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda n, made=made, each=evaluate: tuning.work(made, f"worker {n}", each), range(count)))
        found = list(tuning.client().experiments(made.id).suggestions().fetch().iterate_pages())
        runs.append({each.to_json()["number"]: dict(each.assignments) for each in found})
    assert sorted(runs[0]) == [*range(1, 13)]
    assert len({tuple(point.values()) for point in runs[0].values()}) == 12
    assert runs == [runs[0]] * 4


def test_lost_replies_double_nothing(tuning, client):
    """The service does what it is asked, but the first answer to every kind of call never arrives."""

    lost = set()

    class Lossy(sigopt.request_driver.RequestDriver):
        def request(self, method, path, data, headers):
            answer = super().request(method, path, data, headers)
            if (method, path[-1]) not in lost:
                lost.add((method, path[-1]))
                raise ConnectionException("the answer is lost")
            return answer

    lossy = sigopt.Connection(client_token=tuning.token, api_url=tuning.url, driver=Lossy)
    made, trials = tuning.make(budget=4, type="random"), []

    def evaluate(point, _progress):
        return tuning.branin(point)

    assert run_worker(lossy, made.id, worker="w", evaluate=evaluate, on_trial=trials.append) == 4
    assert {("POST", "suggestions"), ("POST", "observations")} < lost
    assert [trial.progress.trial for trial in trials] == [1, 2, 3, 4]
    assert [each.value for each in tuning.history(made)] == [trial.values["loss"] for trial in trials]
    assert client.experiments(made.id).suggestions().fetch().count == 4


def test_failed_trials_are_reported_and_end_it_when_they_repeat(tuning):
    made, trials = tuning.make(budget=9, type="random"), []
    faults = iter([1.0, ValueError("no"), math.nan, 2.0, ValueError("a"), ValueError("b"), ValueError("c" * 999)])

    def evaluate(_point, _progress):
        outcome = next(faults)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="ccc"):
        tuning.work(made, evaluate=evaluate, on_trial=trials.append)
    assert [each.failed for each in tuning.history(made)] == [False, True, True, False, True, True, True]
    assert [trial.failure for trial in trials][:3] == [None, "ValueError: no", "ValueError: loss is nan"]
    assert tuning.history(made)[1].metadata["failure"] == "ValueError: no"


def test_what_no_trial_can_mend_ends_it_at_once(tuning):
    made = tuning.make(budget=9, type="random")

    def evaluate(_point, _progress):
        raise InvalidInput("no parameter num_leafs")

    with pytest.raises(InvalidInput, match="num_leafs"):
        tuning.work(made, evaluate=evaluate)
    assert [each.failed for each in tuning.history(made)] == [True]


def test_experiment_without_budget_is_refused(tuning):
    with pytest.raises(InvalidInput, match="has no budget"):
        tuning.work(tuning.make())


def test_killed_worker_loses_one_trial(tuning, client, pod):
    made = tuning.make(budget=4, metrics=[{"name": "x"}])
    first = pod(made.id, 60)
    assert first.stdout.readline() == "evaluating 1\n"
    first.kill()
    assert tuning.work(made, "another", evaluate=lambda point, progress: point["x"]) == 3  # it does not wait
    second = pod(made.id, 0)
    assert second.wait(60) == 0
    assert second.stdout.read() == "0\n"
    (lost,) = [each for each in tuning.history(made) if each.failed]
    assert lost.metadata["failure"] == "the worker ended during the trial"
    assert client.experiments(made.id).fetch().progress.observation_count == 4


def test_retried_worker_goes_on(tuning, pod):
    made = tuning.make(budget=4, metrics=[{"name": "x"}])
    first = pod(made.id, 60)
    assert first.stdout.readline() == "evaluating 1\n"
    first.kill()
    second = pod(made.id, 0)
    assert second.wait(60) == 0
    assert [each.failed for each in tuning.history(made)] == [True, False, False, False]


def test_sigterm_reports_the_running_trial(tuning, pod):
    made = tuning.make(budget=4, metrics=[{"name": "x"}])
    process = pod(made.id, 60)
    assert process.stdout.readline() == "evaluating 1\n"
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    (lost,) = tuning.history(made)
    assert (lost.failed, lost.metadata["failure"]) == (True, "SystemExit: 143")
    assert "failure='SystemExit: 143'" in process.stdout.read()


def test_two_of_one_name(tuning, pod):
    made = tuning.make(budget=3, metrics=[{"name": "x"}])
    process = pod(made.id, 3)
    assert process.stdout.readline() == "evaluating 1\n"
    assert tuning.work(made, "pod", evaluate=lambda point, progress: point["x"]) == 2
    assert process.wait(60) == 1
    assert "was closed by another process" in process.stderr.read()
    assert [each.failed for each in tuning.history(made)] == [True, False, False]
