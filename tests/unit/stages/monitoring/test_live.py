from datetime import date

import numpy as np
import polars as pl
import pytest

from include.foundation.problem import problem
from include.stages.monitoring.live import Live, live, numbers, rows_of

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 7)


def answered(*rows: tuple[str, str, date | None, list[float], int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={
            "version": pl.String,
            "stage": pl.String,
            "asked_date": pl.Date,
            "answer": pl.List(pl.Float64),
            "label": pl.Int8,
        },
        orient="row",
    )


def look(frame: pl.DataFrame, classes: tuple[str, ...] = (), kind: str = "binary", metric: str = "auc") -> list[Live]:
    return live(frame, start=FIRST, end=LAST, kind=problem(kind), metric=metric, classes=classes)


def test_versions_and_stages_are_measured_apart_on_what_they_answered_about_the_days() -> None:
    good, bad = ([0.9], 1), ([0.1], 1)
    frame = answered(
        *(("3", "production", FIRST, *each) for each in (good, ([0.1], 0), ([0.5], None))),
        *(("4", "production", LAST, *each) for each in (bad, ([0.9], 0))),
        ("4", "staging", LAST, [0.5], None),
        ("4", "production", date(2024, 5, 8), [0.5], 1),
        ("4", "production", None, [0.5], None),
    )
    found = [(each.version, each.stage, each.rows, each.labelled, each.value) for each in look(frame)]
    assert found == [("3", "production", 3, 2, 1.0), ("4", "production", 2, 2, 0.0), ("4", "staging", 1, 0, None)]


def test_answers_of_other_classes_have_no_value() -> None:
    assert numbers(pl.Series([[0.5], [0.25]]), ()).tolist() == [0.5, 0.25]
    assert numbers(pl.Series([[0.5, 0.5]]), ("a", "b")).tolist() == [[0.5, 0.5]]
    assert numbers(pl.Series([[0.5, 0.5], [1.0]]), ("a", "b")) is None
    (found,) = look(answered(("3", "production", FIRST, [1.0], 1)), ("a", "b"), "multiclass", "log_loss")
    assert (found.labelled, found.value) == (1, None)


def test_a_row_of_the_table_is_a_window_version_and_stage() -> None:
    frame = rows_of(look(answered(("3", "production", FIRST, [0.5], None))), "auc")
    assert frame.to_dicts() == [
        {
            "event_date": LAST,
            "start": FIRST,
            "version": "3",
            "stage": "production",
            "rows": 1,
            "labelled": 0,
            "value": None,
            "metric": "auc",
        }
    ]
    assert frame.schema["value"] == pl.Float64


@pytest.mark.parametrize("answer", [np.nan])
def test_an_answer_that_is_no_number_has_no_value(answer: float) -> None:
    (found,) = look(answered(("3", "production", FIRST, [answer], 1), ("3", "production", FIRST, [0.5], 0)))
    assert found.value is None
