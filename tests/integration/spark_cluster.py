"""Where the tests of `engine: spark` run, what they are marked with, and what two engines must leave alike."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from include.foundation.lake import Lake, tables
from include.foundation.spec import load

SPARK = Path(__file__).parents[2] / ".venv" / "spark"
NEEDS_SPARK = [
    pytest.mark.spark,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not (SPARK / "ready").exists(), reason="PySpark is not installed: make test-spark installs it and runs this"
    ),
]
SPEC = load("flight_delays")
LAYERS = ("bronze", "quarantine", "silver")
TABLES = [*(SPEC.table(layer, source.name) for source in SPEC.files for layer in LAYERS), SPEC.gold]  # type: ignore[arg-type]
# Snapshots have ids, files have sizes and engines have names of their own.
OWN = ("snapshot", "made_from", "commit", "files", "partition", "spark.", "engine-", "iceberg-", "app-id")


def digests(lake: Lake) -> dict[str, tuple[int, str]]:
    """Rows and SHA-256 of every table, in the order of reading."""
    found = {}
    for name in TABLES:
        rows = tables.read(lake, name)
        told = rows.with_columns(pl.col(pl.List(pl.String)).list.join("; "))
        found[name] = rows.height, hashlib.sha256(told.write_csv().encode()).hexdigest()
    return found


def summaries(lake: Lake) -> dict[str, dict[str, str]]:
    found = {}
    for name in TABLES:
        said = tables.snapshot_summary(lake, name, tables.current_snapshot_id(lake, name) or 0)
        found[name] = {key: value for key, value in said.items() if not any(own in key for own in OWN)}
    return found
