"""Which windows stand, in a lake in a folder. Who reads how much: tests/unit/steps/test_monitor.py."""

from datetime import date

import polars as pl
import pytest

from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import UseCase, load
from include.stages.monitoring.kept import Kept, Seen, Window, whole
from include.stages.monitoring.live import Live
from tests.unit.stages.monitoring.test_report import REFERENCE, seen

FIRST = date(2026, 2, 1)
WINDOWS = whole(FIRST, date(2026, 2, 5), 2)


@pytest.fixture
def spec() -> UseCase:
    return load("flight_delays").model_copy(update={"name": "shops"})


def gold(lake: Lake, spec: UseCase, *days: int) -> None:
    rows = pl.DataFrame({"event_date": [date(2026, 2, day) for day in days], "id": [str(day) for day in days]})
    replace_days(lake, spec.gold, rows, rows["event_date"], {})


def log(lake: Lake, spec: UseCase, scored: date, *asked: int) -> None:
    about = [date(2026, 2, day) for day in asked]
    rows = pl.DataFrame({"event_date": [scored] * len(about), "asked_date": about})
    replace_days(lake, spec.predictions_table, rows, [scored], {})


def kept(lake: Lake, spec: UseCase, *, by: str = "me") -> Kept:
    return Kept.now(lake, spec, version="3", by=by)


def judge(lake: Lake, spec: UseCase, *, version: str = "3") -> list[Seen]:
    found = [Seen(each, seen(each.end.day), [asked(each)]) for each in WINDOWS]
    Kept.now(lake, spec, version=version, by="me").replace(WINDOWS, found, REFERENCE, until=WINDOWS[-1].end)
    return found


def asked(window: Window) -> Live:
    return Live(start=window.start, end=window.end, version="2", stage="production", rows=4, labelled=0, value=None)


def test_windows_are_whole_and_numbered_from_the_first() -> None:
    assert [(each.number, each.start.day, each.end.day) for each in WINDOWS] == [(0, 1, 2), (1, 3, 4)]
    assert whole(FIRST, FIRST, 2) == []
    assert WINDOWS[0].days == [date(2026, 2, 1), date(2026, 2, 2)]


def test_what_was_kept_is_read_as_it_was(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, 1, 2, 3, 4)
    assert kept(folder_lake, spec).read(WINDOWS) == []
    found = judge(folder_lake, spec)
    assert kept(folder_lake, spec).read(WINDOWS) == found
    assert kept(folder_lake, spec).read(WINDOWS[1:]) == found[1:]
    assert kept(folder_lake, spec).to_judge(WINDOWS) == []
    assert kept(folder_lake, spec, by="another").to_judge(WINDOWS) == WINDOWS


def test_rows_of_gold_and_answers_about_a_window_put_it_up_again(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, 1, 2, 3, 4)
    log(folder_lake, spec, date(2026, 3, 1), 1)
    judge(folder_lake, spec)
    gold(folder_lake, spec, 5)
    assert kept(folder_lake, spec).to_judge(WINDOWS) == []
    gold(folder_lake, spec, 4)
    assert kept(folder_lake, spec).to_judge(WINDOWS) == WINDOWS[1:]
    judge(folder_lake, spec)
    log(folder_lake, spec, date(2026, 3, 2), 1, 9)
    assert kept(folder_lake, spec).to_judge(WINDOWS) == WINDOWS[:1]


def test_a_window_that_was_not_over_is_judged_even_if_its_last_days_have_no_rows(
    folder_lake: Lake, spec: UseCase
) -> None:
    gold(folder_lake, spec, 1, 2, 3)
    judge(folder_lake, spec)
    gold(folder_lake, spec, 7)
    assert kept(folder_lake, spec).to_judge(whole(FIRST, date(2026, 2, 7), 2)) == [
        Window(2, date(2026, 2, 5), date(2026, 2, 6))
    ]


def test_all_is_judged_where_it_is_not_known_what_has_changed(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, 1, 2, 3, 4)
    judge(folder_lake, spec)
    log(folder_lake, spec, date(2026, 3, 1), 1)
    assert kept(folder_lake, spec).to_judge(WINDOWS) == WINDOWS, "the log is new"
    judge(folder_lake, spec)
    tables.load(folder_lake, spec.gold).append(tables.read(folder_lake, spec.gold).to_arrow())
    assert kept(folder_lake, spec).to_judge(WINDOWS) == WINDOWS, "another program wrote gold"
    judge(folder_lake, spec)
    assert kept(folder_lake, spec).to_judge(WINDOWS) == []
    tables.load(folder_lake, spec.monitoring_table).delete("rows > 0")
    assert kept(folder_lake, spec).to_judge(WINDOWS) == WINDOWS, "another program took rows out"


def test_a_row_leaves_with_its_window_and_another_versions_stays(folder_lake: Lake, spec: UseCase) -> None:
    gold(folder_lake, spec, 1, 2, 3, 4)
    judge(folder_lake, spec)
    other = Kept.now(folder_lake, spec, version="2", by="me")
    odd = Window(0, date(2026, 2, 2), date(2026, 2, 3))
    other.replace([odd], [Seen(odd, seen(3), [])], REFERENCE, until=odd.end)
    kept(folder_lake, spec).replace(WINDOWS[1:], [], REFERENCE, until=WINDOWS[-1].end)
    rows = tables.read(folder_lake, spec.monitoring_table)
    assert rows.select("event_date", "version").rows() == [(date(2026, 2, 2), "3"), (date(2026, 2, 3), "2")]
    assert tables.read(folder_lake, spec.live_table)["event_date"].to_list() == [date(2026, 2, 2)]
