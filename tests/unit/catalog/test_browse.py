"""All tables, declared and found."""

from datetime import date

import polars as pl
import pytest

from include.catalog.browse import Catalog, read
from include.foundation.errors import MissingInput, ServiceUnavailable
from include.foundation.lake import Lake
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load

SPEC = load("flight_delays")
DAY = date(2013, 1, 1)


def test_what_is_declared_and_what_is_found_is_listed(folder_lake):
    rows = pl.DataFrame({"event_date": [DAY], "a": [1]})
    for name in ("silver.flight_delays__weather", "other.t"):
        replace_days(folder_lake, name, rows, [DAY], {"run_key": "1"})
    found = {each.entry.identifier: each for each in read(folder_lake, [SPEC])}
    assert found["silver.flight_delays__weather"].state.rows == 1
    assert (found[SPEC.gold].state, found[SPEC.gold].reason) == (None, "not made yet")
    assert (found["other.t"].entry.use_case, list(found)[-1]) == (None, "other.t")
    catalog = Catalog(lambda: folder_lake, lambda: [SPEC])
    assert catalog.one("other.t").state.newest == DAY
    with pytest.raises(MissingInput, match="there is no table"):
        catalog.one("x" * 500)


def test_a_table_that_cannot_be_read_does_not_hide_the_others(folder_lake, monkeypatch):
    rows = pl.DataFrame({"event_date": [DAY], "a": [1]})
    replace_days(folder_lake, "other.t", rows, [DAY], {"run_key": "1"})
    monkeypatch.setattr("include.catalog.state.state", lambda _: 1 / 0)
    (*_, last) = read(folder_lake, [SPEC])
    assert (last.state, last.reason) == (None, "division by zero")


def test_a_catalog_that_is_away_is_said():
    lake = Lake(
        catalog_properties={"type": "rest", "uri": "http://127.0.0.1:1", "warehouse": "s3://lake"},
        landing="s3://landing",
        models="s3://models",
    )
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        read(lake, [])
