"""The tuning service's suggestions, asked as the service asks for them; in its environment.

What a suggestion may know follows from its number and the number of workers, not from timing (`knowledge`): so trials
one after the other are those of that many workers at once. The time that workers wait is simulated beside it.
"""

import heapq
import json
import logging
import sys
import time
from statistics import median

import numpy as np
from problems import problems

from include.services.tuning import knowledge, optimizer
from include.services.tuning.records import Experiment, Observation, Suggestion
from include.services.tuning.refusal import Refusal

TRIALS, MEAN_SECONDS, SPREAD = 100, 30.0, 0.3  # of the simulated workers


def experiment(parameters, *, budget, workers, seed):
    metric = {"name": "f", "objective": "minimize", "strategy": "optimize", "threshold": None}
    told = [{key: value for key, value in each.items() if value is not None} for each in parameters]
    return Experiment(
        id=1,
        state="active",
        name="e",
        project=None,
        budget=budget,
        parallel_bandwidth=workers,
        metadata={"seed": seed},
        spec={"parameters": told, "metrics": [metric], "type": "offline"},
        created=0,
        updated=0,
        observations=0,
        consumed=0,
    )


def suggestion(number, *, assignments=None, opened=False, created=0):
    told = {"assignments": assignments or {}, "open": opened, "task": None, "metadata": None}
    return Suggestion(id=number, number=number, experiment=1, created=created, **told)


def observation(number, value, *, assignments=None, created=0):
    values = [{"name": "f", "value": value, "value_stddev": None}]
    told = {"assignments": assignments or {}, "failed": False, "task": None, "metadata": None}
    return Observation(id=number, suggestion=number, values=values, experiment=1, created=created, **told)


def tune(problem, *, budget, workers, seed):
    """Values of the trials, and the CPU seconds of each suggestion that a model made."""
    about, made, seen, took = experiment(problem.parameters, budget=budget, workers=workers, seed=seed), [], [], []
    for number in range(1, budget + 1):
        start = time.process_time()
        known = knowledge.known(about, made, seen, number=number, start=optimizer.start(about), now=0)
        assignments, _ = optimizer.suggest(about, *known, number=number)
        if number > optimizer.start(about):
            took.append(time.process_time() - start)
        made.append(suggestion(number, assignments=assignments))
        seen.append(observation(number, problem.value(assignments), assignments=assignments))
    return [each.values[0]["value"] for each in seen], took


def busy(workers, seconds):
    """Share of the workers' time in trials, if a suggestion takes `seconds` and one is made at a time."""
    rng = np.random.default_rng(workers)
    durations = rng.lognormal(0, SPREAD, TRIALS) * MEAN_SECONDS
    about = experiment(problems()[0].parameters, budget=TRIALS, workers=workers, seed=1)
    free, running, ends, free_at, end = [(0.0, worker) for worker in range(workers)], {}, [], 0.0, 0.0
    started = {}
    while len(started) < TRIALS or ends:
        while free and len(started) < TRIALS:
            now = max(free[0][0], free_at)
            if ends and ends[0][0] <= now:
                break  # it is known by then
            made = [suggestion(each, opened=each in running, created=int(at)) for each, at in started.items()]
            seen = [observation(each, 0.0, created=int(now)) for each in started if each not in running]
            number = len(started) + 1
            try:
                knowledge.known(about, made, seen, number=number, start=optimizer.start(about), now=now)
            except Refusal:
                break  # until the next trial ends
            _, worker = heapq.heappop(free)
            free_at = now + seconds
            started[number], running[number] = free_at, worker
            heapq.heappush(ends, (free_at + durations[number - 1], number))
        if ends:
            end, number = heapq.heappop(ends)
            heapq.heappush(free, (end, running.pop(number)))
            free = [(max(at, end), worker) for at, worker in free]
            heapq.heapify(free)
    return float(durations.sum() / (workers * end))


def main() -> None:
    """Seeds, budget and numbers of workers from the command line; JSON to stdout."""
    logging.disable(logging.ERROR)
    seeds, budget, *counts = map(int, sys.argv[1:])
    found = {}
    for problem in problems():
        for workers in counts:
            runs = [tune(problem, budget=budget, workers=workers, seed=seed) for seed in range(seeds)]
            values, took = [run[0] for run in runs], [each for run in runs for each in run[1]]
            found.setdefault(problem.name, {})[workers] = {"values": values, "seconds": median(took)}
            print(problem.name, workers, file=sys.stderr, flush=True)
    slowest = max(each["seconds"] for one in found.values() for each in one.values())
    print(json.dumps({"problems": found, "busy": {workers: busy(workers, slowest) for workers in counts}}))


if __name__ == "__main__":
    main()
