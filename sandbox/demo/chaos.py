"""`make chaos SEED=n`: the demo while processes are killed, and whether its end is the same all the same.

The seed says who is killed with SIGKILL and when: so many seconds after a stage's first task has ended. Each seed has
a sandbox of its own, which is gone afterwards. Runs in Airflow's environment. It takes minutes: a shorter test, which
kills a worker and the scheduler, runs with all the others (tests/integration/test_dags.py).
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

from include.foundation.spec import load
from sandbox.demo import tracking
from sandbox.demo.data.flight_delays import DEMO_LAST, FIRST
from sandbox.demo.landing import USE_CASE
from sandbox.endpoints import Endpoints
from sandbox.supervisor import processes
from sandbox.supervisor.home import Home, read_json
from sandbox.supervisor.service import REPO, SandboxError, free_ports

SPEC = load(USE_CASE)
PHASES = ("ingest", "features", "train", "promote")
SERVICES = (
    *("postgres", "seaweedfs", "api-server", "scheduler", "triggerer", "dag-processor"),
    *("mlflow", "sigopt", "cluster", "argocd"),
)
POD = "a pod"
LONGEST_DELAY_SECONDS = 12.0
GOLD_ROWS = 109_116  # of January to April
_PORTS = 60
_FIND_SECONDS = 30.0


@dataclass(frozen=True)
class Kill:
    """Who is killed, `delay` seconds after the first line of a phase."""

    phase: str
    victim: str
    delay: float

    def __str__(self) -> str:
        """For people."""
        return f"{self.victim} {self.delay:.1f} s into {self.phase}"


@dataclass(frozen=True, kw_only=True)
class End:
    """What the demo left: `versions` of the model, `champion`, `trials` by their state, gold's rows and their ids."""

    code: int
    versions: list[str]
    champion: str | None
    trials: dict[str, int]
    rows: int
    ids: int

    def faults(self) -> list[str]:
        """What is not as it must be, whoever was killed."""
        wanted = {
            "exit code": (self.code, 0),
            "versions": (self.versions, ["1"]),
            "champion": (self.champion, "1"),
            "trials": (sum(self.trials.values()), SPEC.training.trials),
            "rows of gold": (self.rows, GOLD_ROWS),
            "different ids in gold": (self.ids, self.rows),
        }
        return [f"{name}: {found}, expected {right}" for name, (found, right) in wanted.items() if found != right]


def plan(seed: int) -> tuple[Kill, ...]:
    """The kills of a seed, in order: two, in different phases."""
    draw = random.Random(seed)  # noqa: S311 (a test that can be repeated)
    kills = []
    for phase in sorted(draw.sample(PHASES, 2), key=PHASES.index):
        victims = (*SERVICES, POD) if phase in {"train", "promote"} else SERVICES  # the others run no pods
        kills.append(Kill(phase, draw.choice(victims), round(draw.uniform(0, LONGEST_DELAY_SECONDS), 1)))
    return tuple(kills)


def phase_of(line: str) -> str | None:
    """The phase that a line of the demo's output belongs to; None for all other lines."""
    text = line.partition(" s  ")[2]
    return next((phase for phase in PHASES if text.startswith(f"{SPEC.name}.{phase}")), None)


def pods(home: Home) -> list[processes.Process]:
    """The processes of this sandbox's containers."""
    folder = f"{home.path}/cluster/pods/"
    parents = [one for one in processes.everyone() if any(w.startswith(folder) for w in processes.words(one.pid))]
    return [child for parent in parents for child in processes.descendants(parent.pid)]


def pid_of(home: Home, victim: str) -> int | None:
    """The process to kill; None while there is none."""
    if victim == POD:
        return min((each.pid for each in pods(home)), default=None)
    services = (read_json(home.status) or {"services": []})["services"]
    return next((each["pid"] for each in services if each["name"] == victim), None)


def carry_out(kill: Kill, home: Home) -> None:
    """Wait, kill, and say so."""
    time.sleep(kill.delay)
    deadline = time.monotonic() + _FIND_SECONDS
    while (pid := pid_of(home, kill.victim)) is None and time.monotonic() < deadline:
        time.sleep(0.2)
    if pid is None:
        _say(f"--- {kill}: nothing to kill")
        return
    os.kill(pid, signal.SIGKILL)
    _say(f"--- killed {kill} (process {pid})")


def watch(demo: "subprocess.Popen[str]", kills: tuple[Kill, ...], home: Home) -> int:
    """Pass the demo's output on and kill at its phases; returns the demo's exit code."""
    killers = []
    for line in demo.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
        phase = phase_of(line)
        for kill in [kill for kill in kills if kill.phase == phase]:
            kills = tuple(each for each in kills if each is not kill)
            killers.append(threading.Thread(target=carry_out, args=(kill, home)))
            killers[-1].start()
    for killer in killers:
        killer.join()
    return demo.wait()


def end(at: Endpoints, code: int) -> End:
    """Ask MLflow and the lake what there is."""
    from include.foundation.lake import Lake, tables
    from include.stages.registry import aliased

    client = tracking.client(at)
    versions = sorted(each.version for each in client.search_model_versions(f"name = '{SPEC.name}'"))
    champion = aliased(client, SPEC.name) if versions else None
    trials: dict[str, int] = {}
    if experiment := client.get_experiment_by_name(SPEC.name):
        for run in client.search_runs([experiment.experiment_id], max_results=1000):
            if "mlflow.parentRunId" in run.data.tags:
                trials[run.info.status] = trials.get(run.info.status, 0) + 1
    gold = tables.read(Lake.from_env(at.trainer_env), SPEC.gold, columns=("id", "event_date"))
    gold = gold.filter(gold["event_date"].is_between(FIRST, DEMO_LAST))
    return End(
        code=code,
        versions=versions,
        champion=champion.version if champion else None,
        trials=trials,
        rows=gold.height,
        ids=gold["id"].n_unique(),
    )


def chaos(seed: int) -> list[str]:
    """The demo with the kills of a seed, in a sandbox of its own. Returns what is not as it must be."""
    kills = plan(seed)
    _say(f"--- seed {seed}: {'; '.join(map(str, kills))}")
    with tempfile.TemporaryDirectory(prefix="flt-") as folder:
        env = {**os.environ, "FLIGHTLINE_HOME": folder, "FLIGHTLINE_PORT": str(free_ports(_PORTS)[0])}
        try:
            _sandbox("up", env)
            words = (sys.executable, "-u", "-m", "sandbox.demo")
            with subprocess.Popen(words, cwd=REPO, env=env, stdout=subprocess.PIPE, text=True) as demo:
                code = watch(demo, kills, Home.from_env(env))
            _sandbox("up", env)  # who was killed last may not be back yet
            found = end(Endpoints.from_env(env), code)
        finally:
            _sandbox("down", env)
    _say(f"--- seed {seed}: {found}")
    return found.faults()


def _sandbox(word: str, env: dict[str, Any]) -> None:
    if subprocess.run((sys.executable, "-m", "sandbox", word), cwd=REPO, env=env, check=False).returncode:
        raise SandboxError(f"the sandbox does not go {word}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """The command line. 0 only if every seed ended as it must."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("seeds", type=int, nargs="+", help="what says who is killed, and when")
    bad = 0
    for seed in parser.parse_args(arguments).seeds:
        start = time.monotonic()
        try:
            faults = chaos(seed)
        except SandboxError as error:
            faults = [str(error)]
        bad += bool(faults)
        _say(f"chaos: seed {seed}: {'; '.join(faults) or 'as it must be'} ({time.monotonic() - start:.0f} s)")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
