"""How long pages take with 100 tables, and of a table with 1,000 snapshots, when what they show is remembered.

    PYTHONPATH=. python tests/bench/pages.py

The pages are asked in this process, over a lake in a folder and an app that stands for Airflow's; the table's own page
reads its metadata from the lake each time.
"""

# ruff: noqa: E402 (Airflow reads its environment when it is first imported)
import os
import runpy
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "plugins"))
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"

import polars as pl
import pytest

from flightline.ui import lookups
from include.catalog import browse, entries
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days

FIXTURES = runpy.run_path(str(ROOT / "tests" / "unit" / "flightline" / "ui" / "conftest.py"))
TABLES, SNAPSHOTS, TRIES = 100, 1_000, 20
AIM_MS = 300


def grown(table: Any) -> Any:
    """The same table with 1,000 snapshots in its metadata."""
    (one,) = table.metadata.snapshots
    many = [
        one.model_copy(
            update={"snapshot_id": one.snapshot_id - number, "timestamp_ms": one.timestamp_ms - 60_000 * number}
        )
        for number in range(SNAPSHOTS)
    ]
    table.metadata = table.metadata.model_copy(update={"snapshots": many})
    return table


def main() -> None:
    patch = pytest.MonkeyPatch()
    folder = Path(tempfile.mkdtemp())
    catalog = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
    lake = Lake(catalog_properties=catalog, landing="s3://landing", models="s3://models")
    name = "silver.flight_delays__weather"
    day = date(2013, 1, 1)
    said = {"landed": "4", "quarantined": "1", "reasons": '{"a: ge(0)": 1}'}
    replace_days(lake, name, pl.DataFrame({"event_date": [day], "temp": ["1"]}), [day], {"run_key": "1", **said})
    stored = FIXTURES["small_catalog"].__wrapped__(lake)
    listed = stored.one(name)
    more = [
        browse.Listed(
            entry=entries.undeclared(f"other.table_{number}").with_lake(listed.state.columns), state=listed.state
        )
        for number in range(TABLES - len(stored.tables()))
    ]
    stored.tables().extend(more)
    load = tables.load
    patch.setattr(tables, "load", lambda *words: grown(load(*words)))
    pages = FIXTURES["site"].__wrapped__(lake, stored, patch)
    site = next(pages).login("admin")
    patch.setattr(lookups, "lake", lambda: lake)
    print(f"{'page':<44} median ms   of the aim of {AIM_MS} ms")
    for path in (
        "",
        "data",
        "data/found?q=temp",
        f"data/{name}",
        "models/flight_delays",
        "models/flight_delays/2",
        "query",
    ):
        taken = []
        for _ in range(TRIES):
            start = time.monotonic()
            answer = site.client.get(f"/flightline/{path}")
            taken.append((time.monotonic() - start) * 1_000)
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.text[:500]}")
        median = statistics.median(taken)
        print(f"{path or 'home':<44} {median:>9.0f}   {median / AIM_MS:.2f}")
    patch.undo()


if __name__ == "__main__":
    main()
