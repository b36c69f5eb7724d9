"""Ten times the rows of a training window, and the same memory, also of its monitor: `training.max_rows`.

Needs no service.
"""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.use_cases.flight_delays.features import FEATURES

pytestmark = [pytest.mark.integration, pytest.mark.soak]
REPO = Path(__file__).parents[2]
DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(40)]
MOST = 2000

# One process for each size: the most memory that a process ever had does not go down.
TRAIN = """
import json, re, sys
from types import SimpleNamespace
import lightgbm, onnxmltools, onnxruntime, scipy.spatial.distance, sklearn
from include.foundation.lake import Lake, chunks
from include.foundation.problem import problem
from include.foundation.spec import load, module
from include.stages.training import dataset, frozen
from include.stages.training.fitting import answer, fit_final
from include.foundation.artifact import open_model
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring import reference
from include.steps.monitor import Watch
chunks.ROWS, reference.VALUES = 4000, 100_000
asked = json.loads(sys.argv[1])
lake = Lake(**asked["lake"])
spec, part = load("flight_delays"), module("flight_delays", "model")
spec = spec.model_copy(update={"training": spec.training.model_copy(update={"max_rows": asked["most"]})})
kind = problem(spec.problem)
frozen.environment = lambda name: "the test's"
pinned = frozen.freeze(lake, spec, image="test")
def mb(what):
    # Libraries are not counted. Not getrusage: its peak is inherited from the process that started this one.
    return int(re.search(what + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
start = mb("VmRSS")
data = dataset.load(lake, spec, pinned)
params, machine = {"n_estimators": 20, "num_leaves": 15}, {"num_threads": 1}
fitted = fit_final(part, data, pinned, kind, params=params, machine=machine)
judged = answer(part, open_model(fitted.data), data.holdout), data.holdout.texts("carrier")
baseline = data.holdout.each(lambda rows: part.baseline(data.fit, rows))
trained = mb("VmHWM") - start
watched = SimpleNamespace(
    spec=spec.model_copy(update={"monitoring": Monitoring(window_days=3)}),
    data=data, problem=kind, part=part, frozen=pinned,
)
watch = Watch(training=watched, champion=None)
watch.__dict__["_scorer"] = open_model(fitted.data)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = mb("VmRSS")
assert len(watch.reference.features) == len(watch.features)
print(json.dumps({
    "mb": trained, "ordinary": mb("VmHWM") - before,
    "rows": pinned.rows, "judged": [*map(len, (*judged, baseline))],
    "sampled": data.sampled and data.sampled.model_dump(),
}))
"""


def land(lake, a_day):
    """Gold of `flight_delays` made up: as wide as the real one, and learnable."""
    spec = load("flight_delays")
    for number, days in enumerate([DAYS[:20], DAYS[20:]]):
        rng = np.random.default_rng(number)
        count = a_day * len(days)
        size = rng.normal(size=count)
        made = {
            name: rng.choice(["a", "b", "c"], count) if dtype == pl.String else np.round(rng.normal(size=count) * 50)
            for name, dtype in FEATURES.items()
        }
        rows = pl.DataFrame(made | {"distance": 100 * size, "event_date": [day for day in days for _ in range(a_day)]})
        rows = rows.cast(FEATURES, strict=False)
        asked = pl.col("event_date").cast(pl.Datetime("us", "UTC")) + pl.duration(
            microseconds=pl.int_range(pl.len()) % a_day * (80_000_000_000 // a_day)
        )
        rows = rows.with_columns(
            id=pl.format("{}-{}", number, pl.int_range(pl.len())),
            event_time=asked,
            label=pl.Series(rng.random(count) < 1 / (1 + np.exp(-size))),
        ).with_columns(label_known_at=pl.col("event_time") + timedelta(minutes=90))
        replace_days(lake, spec.gold, rows, days, {})


def trained(lake, most):
    where = {"catalog_properties": dict(lake.catalog_properties), "landing": lake.landing, "models": lake.models}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, json.dumps({"lake": where, "most": most})],
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ten_times_the_rows_take_the_same_memory(folder_lake):
    land(folder_lake, 200)
    once = trained(folder_lake, MOST)
    assert (once["rows"], once["judged"]) == (8000, [2000] * 3)
    land(folder_lake, 2000)
    ten, whole = trained(folder_lake, MOST), trained(folder_lake, None)
    assert (ten["rows"], ten["judged"]) == (80_000, [20_000] * 3), "the whole holdout is judged"
    assert ten["sampled"]["rows"] == MOST < once["sampled"]["rows"] + 1
    assert ten["sampled"]["of"] > 10 * once["sampled"]["of"] * 0.99
    assert whole["sampled"] is None
    grown = ten["mb"] / once["mb"]
    assert grown < 1.2, (once, ten, whole)
    assert whole["mb"] > 1.5 * ten["mb"], (once, ten, whole)
    assert ten["ordinary"] < 8, (once, ten, whole)  # 19 with all columns of the holdout at once
