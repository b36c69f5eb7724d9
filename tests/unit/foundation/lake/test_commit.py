from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.foundation.lake import Lake, snapshot, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter, replace_days

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]
TABLE = "silver.t"


def rows(*days: date, tag: str = "") -> pl.DataFrame:
    return pl.DataFrame(
        {"event_date": days, "v": [f"{tag}{n}" for n in range(len(days))]},
        schema={"event_date": pl.Date, "v": pl.String},
    )


def data_files(lake: Lake) -> set[str]:
    return {str(path) for path in Path(str(lake.catalog_properties["warehouse"])[7:]).rglob("*.parquet")}


def test_exactly_the_days_are_replaced(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, rows(D[0], D[0], D[1], D[2], tag="a"), D[:3], {})
    replace_days(folder_lake, TABLE, rows(D[1], tag="b"), [D[1], D[2]], {})
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], "a0"), (D[0], "a1"), (D[1], "b0")]
    assert tables.counts(folder_lake, TABLE) == {D[0]: 2, D[1]: 1}
    assert tables.days(folder_lake, TABLE) == D[:2]


def test_days_may_become_empty_and_a_commit_may_hold_nothing(folder_lake: Lake) -> None:
    empty = replace_days(folder_lake, TABLE, rows(), D[:1], {"run_key": "r"})
    assert tables.snapshot_summary(folder_lake, TABLE, empty)["run_key"] == "r"
    replace_days(folder_lake, TABLE, rows(D[0]), D[:1], {})
    replace_days(folder_lake, TABLE, rows(), D[:1], {})
    assert tables.read(folder_lake, TABLE).is_empty()
    assert tables.days(folder_lake, TABLE) == []


def test_rows_of_other_days_are_refused(folder_lake: Lake) -> None:
    with pytest.raises(InvalidInput, match="2013-01-02"):
        replace_days(folder_lake, TABLE, rows(D[0], D[1]), D[:1], {})


def test_rows_may_come_in_parts_and_unsorted(folder_lake: Lake) -> None:
    writer = TableWriter(folder_lake, TABLE, schema=rows().schema, change=Replace(frozenset(D[:3])))
    writer.write(rows(D[1], D[0], D[1], tag="a"))
    writer.write(rows(D[1], D[2], tag="b"))
    assert tables.read(folder_lake, TABLE).is_empty()
    writer.commit({})
    assert tables.read(folder_lake, TABLE).rows() == [
        (D[0], "a1"), (D[1], "a0"), (D[1], "a2"), (D[1], "b0"), (D[2], "b1"),
    ]  # fmt: skip


def test_discard_leaves_nothing_behind(folder_lake: Lake) -> None:
    writer = TableWriter(folder_lake, TABLE, schema=rows().schema, change=Replace(frozenset(D[:1])))
    writer.write(rows(D[0]))
    assert len(data_files(folder_lake)) == 1
    writer.discard()
    assert data_files(folder_lake) == set()
    writer.write(rows(D[0]))
    writer.commit({})
    writer.discard()
    assert tables.read(folder_lake, TABLE).height == 1


def test_a_lost_race_is_run_again_on_the_new_state(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, rows(D[0], tag="old"), D[:1], {})
    mine = TableWriter(folder_lake, TABLE, schema=rows().schema, change=Replace(frozenset(D[:2])))
    mine.write(rows(D[0], D[1], tag="mine"))
    replace_days(folder_lake, TABLE, rows(D[0], D[2], tag="other"), [D[0], D[2]], {})
    mine.commit({})
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], "mine0"), (D[1], "mine1"), (D[2], "other1")]


def test_queueing_ends(folder_lake: Lake) -> None:
    mine = TableWriter(folder_lake, TABLE, schema=rows().schema, change=Replace(frozenset(D[:1])))
    mine.write(rows(D[0]))
    replace_days(folder_lake, TABLE, rows(D[0], tag="other"), D[:1], {})
    with pytest.raises(ServiceUnavailable, match=r"silver\.t: other writers were faster"):
        mine.commit({}, timeout=timedelta(0))
    assert tables.read(folder_lake, TABLE)["v"].to_list() == ["other0"]


def test_a_commit_whose_answer_was_lost_is_found(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = snapshot.commit

    def lose_the_answer(*arguments: object, **named: object) -> int:
        commit(*arguments, **named)
        raise ConnectionError("the answer was lost")

    monkeypatch.setattr(snapshot, "commit", lose_the_answer)
    found = replace_days(folder_lake, TABLE, rows(D[0]), D[:1], {})
    assert tables.current_snapshot_id(folder_lake, TABLE) == found
    assert tables.read(folder_lake, TABLE).height == 1


def refuse_what_was_committed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a client does whose first try reached the catalog, whose answer did not come back, and that tried again."""
    commit = lake.catalog().commit_table

    def retry(*arguments: object, **named: object) -> None:
        commit(*arguments, **named)
        monkeypatch.undo()
        raise CommitFailedException("the table has changed")

    monkeypatch.setattr(lake.catalog(), "commit_table", retry)


def test_a_commit_that_the_client_sent_twice_is_no_lost_race(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_days(folder_lake, TABLE, rows(D[0]), D[:1], {})
    refuse_what_was_committed(folder_lake, monkeypatch)
    found = replace_days(folder_lake, TABLE, rows(D[1]), D[1:2], {})
    assert tables.current_snapshot_id(folder_lake, TABLE) == found
    assert len(tables.load(folder_lake, TABLE).snapshots()) == 2
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], "0"), (D[1], "0")]


def test_where_it_cannot_be_told_whether_a_commit_is_there_nothing_is_deleted(
    folder_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Table) -> None:
        raise ConnectionError("no catalog")

    writer = TableWriter(folder_lake, TABLE, schema=rows().schema, change=Replace(frozenset(D[:1])))
    writer.write(rows(D[0]))
    refuse_what_was_committed(folder_lake, monkeypatch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "refresh", fail)
        with pytest.raises(ConnectionError, match="no catalog"):
            writer.commit({})
    writer.discard()
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], "0")]


def test_a_commit_that_failed_for_another_reason_says_so(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> int:
        raise ConnectionError("no catalog")

    monkeypatch.setattr(snapshot, "commit", fail)
    with pytest.raises(ConnectionError, match="no catalog"):
        replace_days(folder_lake, TABLE, rows(D[0]), D[:1], {})


def test_a_snapshot_stays_as_it_was(folder_lake: Lake) -> None:
    first = replace_days(folder_lake, TABLE, rows(D[0], tag="a"), D[:1], {})
    replace_days(folder_lake, TABLE, rows(D[0], tag="b").with_columns(w=pl.lit(1)), D[:1], {})
    assert tables.read(folder_lake, TABLE, snapshot_id=first).rows() == [(D[0], "a0")]
    assert tables.counts(folder_lake, TABLE, snapshot_id=first) == {D[0]: 1}


def test_manifests_stay_few(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MANY", 3)
    for round_ in range(3):
        for day in D:
            replace_days(folder_lake, TABLE, rows(day, tag=f"{round_}."), [day], {})
    table = tables.load(folder_lake, TABLE)
    assert len(table.current_snapshot().manifests(table.io)) <= 5
    assert tables.read(folder_lake, TABLE)["v"].to_list() == ["2.0"] * len(D)
    # pyiceberg's own reader sees the same rows, and its counts agree.
    assert table.scan().to_arrow().num_rows == len(D)
    assert table.current_snapshot().summary["total-records"] == str(len(D))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.sets(st.integers(0, 5))), min_size=1, max_size=6))
def test_any_series_of_commits_leaves_the_newest_rows_of_each_day(
    tmp_path_factory: pytest.TempPathFactory, series: list[tuple[set[int], set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake(
        catalog_properties={"type": "sql", "uri": f"sqlite:///{folder}/c.db", "warehouse": f"file://{folder}"},
        landing="",
        models="",
    )
    expected: dict[date, str] = {}
    for number, (replaced, filled) in enumerate(series):
        days = [D[n] for n in sorted(replaced)]
        kept = [D[n] for n in sorted(replaced & filled)]
        frame = pl.DataFrame(
            {"event_date": kept, "v": [str(number)] * len(kept)}, schema={"event_date": pl.Date, "v": pl.String}
        )
        replace_days(lake, TABLE, frame, days, {})
        for day in days:
            expected.pop(day, None)
        expected |= dict.fromkeys(kept, str(number))
    assert tables.read(lake, TABLE).rows() == sorted(expected.items())
