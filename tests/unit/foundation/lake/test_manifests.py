"""Which files a range of days has, by manifests alone."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.foundation.lake import Lake, manifests, tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.layout import day_reader

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]
TABLE = "silver.t"


def put(lake: Lake, *days: date) -> None:
    rows = pl.DataFrame({"event_date": days, "v": range(len(days))}, schema={"event_date": pl.Date, "v": pl.Int64})
    replace_days(lake, TABLE, rows, days, {})


@pytest.fixture
def table(folder_lake: Lake):
    """Three commits: days 4 and 5, then 0, then 2."""
    for days in ((D[4], D[5]), (D[0],), (D[2],)):
        put(folder_lake, *days)
    return tables.load(folder_lake, TABLE)


def days(table, **bounds) -> list[date]:
    return [day_reader(table)(file) for file in manifests.files(table, table.current_snapshot(), **bounds)]


def test_files_are_in_order_of_days_whatever_came_first(table):
    assert days(table) == [D[0], D[2], D[4], D[5]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(start=st.none() | st.sampled_from(D), end=st.none() | st.sampled_from(D))
def test_a_range_has_the_files_of_its_days_and_both_ends_belong_to_it(table, start, end):
    held = [D[0], D[2], D[4], D[5]]
    assert days(table, start=start, end=end) == [
        day for day in held if (start is None or start <= day) and (end is None or day <= end)
    ]


def test_a_manifest_is_opened_only_if_its_days_meet_the_range(table):
    data, deletes = manifests.alive(table, table.current_snapshot())
    assert deletes == []
    assert sorted(map(manifests.live, data)) == [1, 1, 2]
    assert [manifests.live(each) for each in data if manifests.may_hold(table, each, D[5], None)] == [2]
    assert [each for each in data if manifests.may_hold(table, each, D[1], D[1])] == []
    assert all(manifests.may_hold(table, each, None, None) for each in data)


def test_a_manifest_that_states_no_range_may_hold_any_day(table):
    """Read it rather than lose rows."""
    (first, *_), _ = manifests.alive(table, table.current_snapshot())
    assert not manifests.may_hold(table, first, date(1990, 1, 1), date(1990, 1, 1))
    first.partitions.clear()
    assert manifests.may_hold(table, first, date(1990, 1, 1), date(1990, 1, 1))


def test_files_that_left_are_not_among_them(table, folder_lake: Lake):
    before = table.current_snapshot()
    replace_days(folder_lake, TABLE, pl.DataFrame(schema={"event_date": pl.Date, "v": pl.Int64}), D, {})
    table.refresh()
    assert days(table) == []
    assert len(manifests.files(table, before)) == 4


def test_no_snapshot_has_no_files(table):
    assert manifests.files(table, None) == []
    assert manifests.alive(table, None) == ([], [])


def test_entries_of_a_day_are_in_order_of_their_commits(folder_lake: Lake):
    put(folder_lake, D[0])
    table = tables.load(folder_lake, TABLE)
    table.append(pl.DataFrame({"event_date": [D[0]], "v": [7]}).to_arrow().cast(table.schema().as_arrow()))
    found = manifests.entries(table, table.current_snapshot())
    assert [entry.sequence_number for entry in found] == [1, 2]
    assert found[0].data_file.file_path.endswith("/" + manifests.file_name(found[0].data_file))
