"""Optuna's tree of Parzen estimators and random search, asked one by one; in the environment `optuna`."""

import json
import sys
import time
from statistics import median

import optuna
from problems import problems


def asked(trial, parameter):
    name, low, high = parameter["name"], parameter["bounds"]["min"], parameter["bounds"]["max"]
    if parameter["type"] == "int":
        return trial.suggest_int(name, int(low), int(high))
    return trial.suggest_float(name, low, high, log=parameter.get("transformation") == "log")


def tune(problem, sampler, budget):
    """Values of the trials, and the CPU seconds of each suggestion."""
    study, values, took = optuna.create_study(sampler=sampler), [], []
    for _ in range(budget):
        start = time.process_time()
        trial = study.ask()
        said = {each["name"]: asked(trial, each) for each in problem.parameters}
        took.append(time.process_time() - start)
        values.append(problem.value(said))
        study.tell(trial, values[-1])
    return values, took


def main() -> None:
    """Seeds and budget from the command line; JSON to stdout."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seeds, budget = map(int, sys.argv[1:])
    samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    found = {}
    for problem in problems():
        for name, sampler in samplers.items():
            runs = [tune(problem, sampler(seed=seed), budget) for seed in range(seeds)]
            took = [each for run in runs for each in run[1]]
            found.setdefault(problem.name, {})[name] = {"values": [run[0] for run in runs], "seconds": median(took)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
