import io
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Parquet, Source
from include.stages.ingest.formats import POSITION, Columns
from include.stages.ingest.formats.parquet_file import ParquetFile


def read(source: Source, data: bytes, *names: str) -> pl.DataFrame:
    found = ParquetFile().read(io.BytesIO(data), source=source, columns=Columns.of(source, names), name="f")
    return pl.concat(found)


def test_parquet_values_are_text_that_reads_as_the_same_value() -> None:
    values = {
        "whole": [2**62, None],
        "share": [0.1, -1e300],
        "day": [date(2013, 1, 2), None],
        "at": [datetime(2013, 1, 2, 3, 4, 5, 670_000, UTC), None],
        "sure": [True, None],
    }
    sink = io.BytesIO()
    pl.DataFrame(values).write_parquet(sink)
    source = Source(name="s", contract="S", format=Parquet(type="parquet"))
    first, second = read(source, sink.getvalue(), *values).drop(POSITION).rows()
    assert first == ("4611686018427387904", "0.1", "2013-01-02", "2013-01-02T03:04:05.670Z", "true")
    assert second == (None, "-1e+300", None, None, None)


@pytest.mark.parametrize("value", [[1], {"x": 1}, b"x", timedelta(1)])
def test_a_column_that_has_no_reading_as_text_is_named(value: object) -> None:
    sink = io.BytesIO()
    pl.DataFrame({"a": [value]}).write_parquet(sink)
    with pytest.raises(InvalidInput, match=r"^f: column 'a' is .*, which has no reading as text"):
        read(Source(name="s", contract="S", format=Parquet(type="parquet")), sink.getvalue(), "a")


def test_a_column_that_is_not_wanted_may_be_of_any_type() -> None:
    sink = io.BytesIO()
    pl.DataFrame({"a": [1], "b": [[1]]}).write_parquet(sink)
    source = Source(name="s", contract="S", format=Parquet(type="parquet"), unknown_columns="ignore")
    assert read(source, sink.getvalue(), "a").rows() == [("1", 1)]
