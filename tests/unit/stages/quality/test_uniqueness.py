import pandera.polars as pa
import polars as pl

from include.stages.quality.checks import rules
from include.stages.quality.uniqueness import repeated

TYPED = pl.DataFrame({"key": [1, 1, 2, 2, 3, None, None, 1], "value": [5, 5, 6, 7, 8, 9, 9, 0]})


def found(rows: list[int], *unique: str) -> dict[str, list[int]]:
    (rule,) = (each for each in rules(pa.DataFrameSchema(unique=[*unique])) if each.unique)
    some = repeated([rule], TYPED, pl.Series(rows, dtype=pl.UInt32))
    return {str(rule): indices.to_list() for rule, indices in some}


def test_copies_go_and_contradictions_go_together() -> None:
    assert found([0, 1, 2, 3, 4], "key") == {"repeats an earlier row": [1], "not unique: key": [2, 3]}


def test_rows_that_are_not_looked_at_repeat_nothing() -> None:
    assert found([0, 2, 4], "key") == {}
    assert found([0, 7], "key") == {"not unique: key": [0, 7]}


def test_rows_without_a_value_are_equal_in_it() -> None:
    assert found([5, 6], "key") == {"repeats an earlier row": [6]}
