import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.stages.quality.parts import MOST, by_parts


def strict(part: pl.DataFrame) -> pl.Series:
    return part["x"].cast(pl.Int64)


def test_rows_on_which_it_raises_are_found_and_the_others_have_their_values() -> None:
    texts = [str(number) for number in range(1000)]
    texts[7], texts[999] = "seven", "last"
    values, causes = by_parts(strict, pl.DataFrame({"x": texts}), what="x")
    assert values.dtype == pl.Int64
    assert values.to_list() == [None if index in {7, 999} else index for index in range(1000)]
    assert [*causes] == [7, 999]
    assert "seven" in causes[7]


def test_what_raises_everywhere_is_wrong_itself() -> None:
    with pytest.raises(InvalidInput, match=r"column 'x' cannot be evaluated: .*no"):
        by_parts(strict, pl.DataFrame({"x": ["no"] * (MOST + 1)}), what="column 'x'")


def test_no_rows_have_no_values() -> None:
    values, causes = by_parts(lambda part: part["y"], pl.DataFrame({"x": []}), what="x")
    assert (len(values), causes) == (0, {})
