from datetime import date

import polars as pl
import pytest

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.tags import ensure_tag

DAY = date(2013, 1, 1)
TABLE = "gold.t"
ROWS = pl.DataFrame({"event_date": [DAY], "v": [1]})


def test_a_tag_is_made_once_and_names_its_snapshot_for_ever(folder_lake: Lake) -> None:
    first = replace_days(folder_lake, TABLE, ROWS, [DAY], {})
    ensure_tag(folder_lake, TABLE, "train-a", first)
    second = replace_days(folder_lake, TABLE, ROWS, [DAY], {})
    ensure_tag(folder_lake, TABLE, "train-a", first)
    table = tables.load(folder_lake, TABLE)
    assert table.snapshot_by_name("train-a").snapshot_id == first
    assert table.metadata.refs["train-a"].max_ref_age_ms is None
    with pytest.raises(InvalidInput, match=rf"gold\.t: tag 'train-a' for snapshot {second} is of snapshot {first}"):
        ensure_tag(folder_lake, TABLE, "train-a", second)


def test_a_snapshot_or_table_that_is_not_there_is_named(folder_lake: Lake) -> None:
    with pytest.raises(MissingInput, match=r"gold\.t"):
        ensure_tag(folder_lake, TABLE, "train-a", 7)
    replace_days(folder_lake, TABLE, ROWS, [DAY], {})
    with pytest.raises(InvalidInput, match="the snapshot has expired"):
        ensure_tag(folder_lake, TABLE, "train-a", 7)


def test_a_race_with_a_writer_is_run_again(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = replace_days(folder_lake, TABLE, ROWS, [DAY], {})
    load = tables.load

    def stale(lake: Lake, identifier: str) -> object:
        table = load(lake, identifier)
        monkeypatch.undo()
        replace_days(lake, identifier, ROWS, [DAY], {})
        return table

    monkeypatch.setattr(tables, "load", stale)
    ensure_tag(folder_lake, TABLE, "train-a", first)
    assert tables.load(folder_lake, TABLE).snapshot_by_name("train-a").snapshot_id == first
