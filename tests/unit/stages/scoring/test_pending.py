"""A day is scored once by a version, and again when gold or the version has changed."""

from datetime import date, timedelta

import polars as pl
import pytest

from include.foundation.errors import MissingInput
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.stages.scoring.pending import gold_now, pending

SPEC = load("flight_delays")
D = [date(2013, 1, 1) + timedelta(days=n) for n in range(4)]


def gold(lake, *days, rows=None):
    """The state of gold once these days were replaced."""
    frame = pl.DataFrame({"event_date": days if rows is None else rows}, schema={"event_date": pl.Date})
    return replace_days(lake, SPEC.gold, frame, days, {"made_by": "x"})


def scored(lake, at, *days, version="1", rows=None):
    frame = pl.DataFrame({"event_date": days if rows is None else rows}, schema={"event_date": pl.Date})
    said = {"run_key": f"{version} {at}", "version": version, "model_digest": "d", "gold_snapshot": str(at)}
    replace_days(lake, SPEC.scores, frame, days, said)


def todo(lake, *, version="1", digest="d", start=D[0], end=D[-1]):
    at = gold_now(lake, SPEC)
    return pending(lake, SPEC, version=version, digest=digest, snapshot_id=at, start=start, end=end)


def test_days_are_scored_once_until_gold_or_the_version_is_another(folder_lake):
    at = gold(folder_lake, *D)
    assert todo(folder_lake) == D
    assert todo(folder_lake, start=D[1], end=D[2]) == D[1:3]
    scored(folder_lake, at, *D)
    assert todo(folder_lake) == []
    assert todo(folder_lake, version="2") == todo(folder_lake, digest="e") == D
    scored(folder_lake, at, D[0], version="2")
    assert todo(folder_lake) == [D[0]]
    gold(folder_lake, D[2])
    assert todo(folder_lake) == [D[0], D[2]]


def test_gold_as_it_was_when_the_run_was_planned_counts(folder_lake):
    at = gold(folder_lake, *D)
    scored(folder_lake, at, *D)
    gold(folder_lake, D[3])
    assert pending(folder_lake, SPEC, version="1", digest="d", snapshot_id=at, start=D[0], end=D[-1]) == []


def test_a_day_that_gold_has_lost_loses_its_scores(folder_lake):
    at = gold(folder_lake, *D)
    scored(folder_lake, at, *D)
    at = gold(folder_lake, D[1], rows=[])
    assert todo(folder_lake) == [D[1]]
    scored(folder_lake, at, D[1], rows=[])
    assert todo(folder_lake) == []


def test_what_is_not_known_of_gold_is_scored_again(folder_lake):
    gold(folder_lake, *D)
    scored(folder_lake, 7, *D)
    assert todo(folder_lake) == D


def test_days_without_rows_are_missing(folder_lake):
    with pytest.raises(MissingInput, match=r"gold\.flight_delays"):
        todo(folder_lake)
    gold(folder_lake, *D)
    with pytest.raises(MissingInput, match="no rows from 2013-02-01 to 2013-02-02"):
        todo(folder_lake, start=date(2013, 2, 1), end=date(2013, 2, 2))
