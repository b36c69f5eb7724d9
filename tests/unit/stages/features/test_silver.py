"""What of gold depends on which days of silver."""

from datetime import date, timedelta

import polars as pl
import pytest

from include.foundation.lake import Lake
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.foundation.spec.features import Features
from include.foundation.spec.sources import Source
from include.stages.features.silver import Silver

D = [date(2024, 1, 1) + timedelta(days=n) for n in range(8)]
SOURCES = (Source(name="sales", contract="Sales"), Source(name="plans", contract="Plans", every="snapshot"))
SPEC = load("flight_delays").model_copy(
    update={"name": "shops", "sources": SOURCES, "features": Features(lookback_days=1)}
)


@pytest.fixture
def lake(tmp_path) -> Lake:
    catalog = {"type": "sql", "uri": f"sqlite:///{tmp_path}/c.db", "warehouse": f"file://{tmp_path}"}
    return Lake(catalog_properties=catalog, landing="", models="")


def replace(lake, source, days, *, of):
    rows = pl.DataFrame({"event_date": days}, {"event_date": pl.Date})
    replace_days(lake, SPEC.table("silver", source), rows, of, {})


def test_every_later_day_depends_on_a_snapshot_also_on_one_that_was_removed(lake):
    replace(lake, "sales", D, of=D)
    replace(lake, "plans", [D[0], D[2]], of=[D[0], D[2]])
    for _ in range(2):
        silver = Silver.current(lake, SPEC)
        assert silver.last_affected(D[1], D[1]) == D[2], "no snapshot on that day"
        assert silver.last_affected(D[2], D[3]) == D[7]
        replace(lake, "plans", [], of=[D[2]])


def test_its_days_are_those_of_what_lands_daily_or_hourly(lake):
    hourly = SPEC.model_copy(update={"sources": (SOURCES[0].model_copy(update={"every": "hour"}), SOURCES[1])})
    replace(lake, "sales", D[:2], of=D[:2])
    replace(lake, "plans", [D[3]], of=[D[3]])
    assert Silver.current(lake, hourly).days == Silver.current(lake, SPEC).days == D[:2]
