"""The tuner's suggestions: CPU seconds of one, and what thirty-two find, against libsigopt's own search.

Both are asked in turn in one process: the same experiment (Branin, four workers), the same seeds. Run by `make bench`.
"""

import json
import os
import subprocess
import sys
from statistics import median

from sandbox.supervisor.service import REPO, python

SEEDS, BUDGET, WORKERS = 3, 32, 4
MEASURED = """
import json, math, os, sys, time
import logging
logging.disable(logging.ERROR)
from include.services.tuning import acquisition, knowledge, optimizer
from include.services.tuning.records import Experiment, Observation, Suggestion

seeds, budget, workers = map(int, sys.argv[1:])
plain = {"task": None, "metadata": None, "created": 0, "experiment": 1}
box = [{"name": n, "type": "double", "bounds": {"min": low, "max": low + 15}} for n, low in (("x", -5), ("y", 0))]
metric = {"name": "f", "objective": "minimize", "strategy": "optimize", "threshold": None}
spec = {"parameters": box, "metrics": [metric], "type": "offline"}

def branin(x, y):
    level = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return level + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10

def tune(seed, steps, starts, took):
    acquisition.acquisition_function_optimization.find_optimizer_maxiter = steps
    acquisition.hyperparameters.DEFAULT_HYPER_OPT_OPTIMIZER_INFO = starts
    experiment = Experiment(id=1, state="active", name="e", project=None, budget=budget, parallel_bandwidth=workers,
        metadata={"seed": seed}, spec=spec, created=0, updated=0, observations=0, consumed=0)
    made, seen = [], []
    for number in range(1, budget + 1):
        start = time.process_time()
        known = knowledge.known(experiment, made, seen, number=number, start=optimizer.start(experiment), now=0)
        assignments, _ = optimizer.suggest(experiment, *known, number=number)
        if len(known[0]) >= 4:
            took.append(time.process_time() - start)
        made.append(Suggestion(id=number, number=number, assignments=assignments, open=False, **plain))
        values = [{"name": "f", "value": branin(**assignments), "value_stddev": None}]
        outcome = {"assignments": assignments, "values": values, "failed": False}
        seen.append(Observation(id=number, suggestion=number, **outcome, **plain))
    return min(each.values[0]["value"] for each in seen)

ours, theirs = acquisition.hyperparameters.DEFAULT_HYPER_OPT_OPTIMIZER_INFO, acquisition._hyperparameters
ways = {
    "ours": (acquisition.steps, ours),
    "ten starts": (acquisition.steps, theirs),
    "libsigopt": (acquisition._steps, theirs),
}
found = {name: ([], []) for name in ways}
for seed in range(seeds):
    for name, (steps, starts) in ways.items():
        best, took = found[name]
        best.append(tune(seed, steps, starts, took))
print(json.dumps(found))
"""


def main() -> None:
    """Measure and print."""
    env = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [str(python("tuning")), "-c", MEASURED, *map(str, (SEEDS, BUDGET, WORKERS))]
    done = subprocess.run(command, cwd=REPO, env=env, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    for name, (best, took) in found.items():
        print(
            f"{name:12} {median(took):6.3f} s CPU a suggestion (p90 {sorted(took)[len(took) * 9 // 10]:.3f}),"
            f" least Branin of {BUDGET}: median {median(best):.3f} (0.398 is the optimum)"
        )
    ours, theirs = (median(found[name][1]) for name in ("ours", "libsigopt"))
    print(f"suggestion / libsigopt's search: {ours / theirs:.2f}x CPU")


if __name__ == "__main__":
    sys.exit(main())
