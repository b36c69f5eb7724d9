"""Real trials of both use cases, on a few days: what the tuners' bench interpolates. Run again after a model changes.

    PYTHONPATH=.:.venv/torch/lib/python3.11/site-packages .venv/dev/bin/python tests/bench/tuner/trials.py

Each is a fit on the rows of a use case's first days, measured on those of the days after, with points of a Sobol
sequence for parameters. The file beside this one keeps points (each in [0, 1]), the metric and how many epochs ran.
"""

import json
import logging
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl
from problems import spread
from scipy.stats import qmc

from include.foundation.problem import problem
from include.foundation.problem.bootstrap import measure
from include.foundation.progress import reporting
from include.foundation.spec import load, module
from include.stages.ingest.contracts import contract_of
from include.stages.training.progress import Recorded
from include.steps.check import _gold, _judged
from sandbox.demo.data import digits, flight_delays

DAYS = {"flight_delays": (flight_delays, 12, 4, 96), "digits": (digits, 20, 4, 32)}  # to fit, to measure, trials


def rows(name, data, days):
    """Labelled features of a use case's first days, from the files as they land."""
    spec, last = load(name), data.FIRST + timedelta(days=days - 1)
    with tempfile.TemporaryDirectory() as folder:
        silver = {}
        for source in spec.sources:
            Path(folder, source.name).mkdir()
            for day, content in data.files()[source.name].items():
                if day <= last:
                    Path(folder, source.name, f"{day}{source.suffix}").write_bytes(content)
            silver[source.name] = _judged(spec, source, contract_of(spec, source.contract), Path(folder))[1]
    return _gold(spec, module(name, "features"), silver).drop_nulls("label").sort("event_time", "id")


def main() -> None:
    """Fit, and write a file for each use case."""
    logging.disable(logging.WARNING)
    for name, (data, fit, valid, count) in DAYS.items():
        spec, model, kind = load(name), module(name, "model"), problem(load(name).problem)
        gold = rows(name, data, fit + valid)
        classes = kind.classes(gold["label"])
        gold = gold.with_columns(label=kind.encode(gold["label"], classes))
        cut = data.FIRST + timedelta(days=fit)
        train, test = gold.filter(pl.col("event_date") < cut), gold.filter(pl.col("event_date") >= cut)
        tuned = [each.model_dump() for each in spec.training.parameters]
        done = []
        for number, point in enumerate(qmc.Sobol(len(tuned), seed=1).random(count).round(6).tolist(), 1):
            said, seen = {each["name"]: spread(each, unit) for each, unit in zip(tuned, point, strict=True)}, Recorded()
            params = {**spec.training.fixed, **said, "num_threads": 1, "device": "cpu"}
            with reporting(seen):
                fitted = model.fit(train, params, spec.training.seed, test)
            value = measure(kind, test["label"].to_numpy(), model.predict(fitted, test))[spec.metric.name]
            done.append({"point": point, "value": round(value, 6), "epochs": len(seen.epochs)})
            print(name, number, count, value, len(seen.epochs), flush=True)
        facts = {
            "goal": spec.metric.goal,
            "metric": spec.metric.name,
            "parameters": tuned,
            "epochs": spec.training.fixed.get("epochs"),
        }
        lines = ",\n".join(json.dumps(each) for each in done)
        text = json.dumps(facts, indent=1)[:-2] + f',\n "trials": [\n{lines}\n]}}\n'
        Path(__file__).with_name(f"{name}.json").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
