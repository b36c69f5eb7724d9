"""The tuner with 1, 4 and 8 workers against Optuna's TPE and random search, equal budgets, the same five seeds.

On Branin, Hartmann6 and the use cases' own trials (`tuner/trials.py`), interpolated. Run by `make bench`; ten minutes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

from sandbox.supervisor.service import REPO, python

SEEDS, BUDGET, LONG, WORKERS = 5, 30, 100, (1, 4, 8)
HERE = Path(__file__).parent / "tuner"


def main() -> None:
    """Measure and print."""
    others = run("optuna", "others.py", SEEDS, LONG)
    ours = run("tuning", "ours.py", SEEDS, BUDGET, *WORKERS)
    print(f"medians of {SEEDS} seeds, less is better; TPE's best of {LONG} trials is the aim")
    for name, found in others.items():
        aim = median(map(min, found["tpe"]["values"]))
        print(f"{name}: aim {aim:.4f}")
        for who, each in (
            *found.items(),
            *((f"ours, {workers:>2}", ours["problems"][name][str(workers)]) for workers in WORKERS),
        ):
            best = [np.minimum.accumulate(values) for values in each["values"]]
            reached = [int(np.argmax(one <= aim)) + 1 if one[-1] <= aim else np.inf for one in best]
            need = median(reached)
            print(
                f"  {who:9} best of 15 {median(one[14] for one in best):8.4f}, of {BUDGET} "
                f"{median(one[BUDGET - 1] for one in best):8.4f}; to the aim "
                f"{'not reached' if np.isinf(need) else f'{need:.0f} trials, {need / LONG:.2f} of TPE'}; "
                f"{each['seconds']:.3f} s CPU a suggestion"
            )
    for workers, share in ours["busy"].items():
        print(f"{workers} workers at once, trials of 30 s that differ by 30%: {share:.2f} of their time in trials")
    digits = json.loads((HERE / "digits.json").read_text())
    ran, most = [each["epochs"] for each in digits["trials"]], digits["epochs"]
    print(f"digits: with early stopping its {len(ran)} trials ran {np.mean(ran) / most:.2f} of their {most} epochs")


def run(environment, program, *words):
    env = {**os.environ, "PYTHONPATH": str(REPO), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [str(python(environment)), str(HERE / program), *map(str, words)]
    return json.loads(subprocess.run(command, cwd=REPO, env=env, stdout=subprocess.PIPE, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
