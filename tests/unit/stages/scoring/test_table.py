"""Scores are the model file's answers to the bit, by whole days, of every kind of problem."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata
from include.foundation.errors import InvalidInput
from include.foundation.lake import tables
from include.foundation.spec import load
from include.stages.scoring import table
from include.stages.scoring.table import answered, replace

SPEC = load("flight_delays")
FIRST = datetime(2013, 1, 1, 23, tzinfo=UTC)
D = [(FIRST + timedelta(days=n)).date() for n in range(3)]
BINARY = Metadata(use_case=SPEC.name, features=("x",), categories={}, created_from={}, problem="binary")
PART = SimpleNamespace(FEATURES={"x": pl.Float64}, encode=lambda frame, _: frame.select("x").to_numpy().astype("f4"))


class Model:
    """Answers with what it is given."""

    def __init__(self, metadata=BINARY, factor=1.0):
        self.metadata, self.digest, self.factor = metadata, f"{factor:g}" * 64, np.float32(factor)

    def score(self, matrix):
        assert len(matrix) <= table.ROWS
        return matrix[:, 0] * self.factor


def day_of(day, count=5):
    """Gold's rows of a day, the latest first."""
    at = [FIRST + timedelta(days=D.index(day), seconds=n) for n in range(count)][::-1]
    return pl.DataFrame(
        {
            "id": [f"{day}-{n}" for n in range(count)][::-1],
            "event_date": [day] * count,
            "event_time": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            "x": np.linspace(0, 1, count)[::-1],
            "gold_snapshot": [7] * count,
        }
    )


def written(lake, days=D, *, read=day_of, model=None, version="3", at=7):
    count = replace(lake, SPEC, days, read=read, part=PART, scorer=model or Model(), version=version, snapshot_id=at)
    frame = tables.read(lake, SPEC.scores)
    assert count == sum(read(day).height for day in days)
    return frame


def test_each_row_says_whose_answer_it_is(folder_lake, monkeypatch):
    monkeypatch.setattr(table, "ROWS", 2)
    frame = written(folder_lake)
    assert frame.columns == [
        *("id", "event_date", "event_time", "probability"),
        *("version", "model_digest", "gold_snapshot", "run_key"),
    ]
    assert frame["id"].to_list() == [f"{day}-{n}" for day in D for n in range(5)]
    wanted = np.tile(np.linspace(0, 1, 5), 3).astype(np.float32)
    assert frame["probability"].to_numpy().tobytes() == wanted.tobytes()
    assert frame.select("version", "model_digest", "gold_snapshot").unique().row(0) == ("3", "1" * 64, 7)
    (key,) = frame["run_key"].unique()
    (snapshot,) = tables.load(folder_lake, SPEC.scores).snapshots()
    summary = tables.summary(snapshot)
    said = ("3", "1" * 64, "7", key, "15")
    assert tuple(summary[name] for name in ("version", "model_digest", "gold_snapshot", "run_key", "rows")) == said


def test_a_new_version_replaces_its_days_and_no_others(folder_lake):
    before = written(folder_lake)
    after = written(folder_lake, D[1:2], model=Model(factor=0.5), version="4")
    assert after.filter(pl.col("event_date") != D[1]).equals(before.filter(pl.col("event_date") != D[1]))
    assert after.filter(pl.col("event_date") == D[1])["version"].unique().to_list() == ["4"]
    assert after.height == before.height


def test_the_same_work_has_the_same_key(folder_lake):
    first, again, other = (written(folder_lake, at=at)["run_key"][0] for at in (7, 7, 8))
    assert first == again != other


def test_a_day_that_has_no_rows_any_more_becomes_empty(folder_lake):
    written(folder_lake)
    frame = written(folder_lake, D[1:], read=lambda day: day_of(day).head(0 if day == D[1] else 9))
    assert frame["event_date"].unique().sort().to_list() == [D[0], D[2]]


def test_classes_are_a_list_in_the_model_file_s_order():
    metadata = Metadata(
        use_case="c", features=("x",), categories={}, created_from={}, problem="multiclass", classes=("b", "a", "c")
    )
    answers = np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]], np.float32)
    columns = answered(metadata, answers)
    assert columns["class"].to_list() == ["a", "b"]
    assert np.array(columns["probabilities"].to_list(), np.float32).tobytes() == answers.tobytes()
    assert {name: column.dtype for name, column in columns.items()}.items() <= dict(table.schema(metadata)).items()


def test_an_answer_that_is_no_number_is_none_and_nothing_is_committed(folder_lake):
    class Broken(Model):
        def score(self, matrix):
            return np.full(len(matrix), np.nan, np.float32)

    with pytest.raises(InvalidInput):
        written(folder_lake, model=Broken())
    assert tables.days(folder_lake, SPEC.scores) == []
