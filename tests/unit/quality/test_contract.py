from datetime import date

import pandera.polars as pa
import polars as pl
import pytest

from include.errors import InvalidInput
from include.quality import Contract


class Good(pa.DataFrameModel):
    a: int
    b: int = pa.Field(metadata={"derived": lambda: None})
    event_date: date

    class Config:
        unique = ("event_date", "a")


class NoDay(pa.DataFrameModel):
    a: int


class UniqueWithoutDay(pa.DataFrameModel):
    a: int
    event_date: date

    class Config:
        unique = ("a",)


class UniqueColumn(pa.DataFrameModel):
    a: int = pa.Field(unique=True)
    event_date: date


class Default(pa.DataFrameModel):
    a: int = pa.Field(default=1)
    event_date: date


class Taken(pa.DataFrameModel):
    line: str
    event_date: date


class Unreadable(pa.DataFrameModel):
    a: pl.List
    event_date: date


def test_derived_columns_and_the_day_do_not_land() -> None:
    contract = Contract.of(Good)
    assert contract.landed == ("a",)
    assert contract.columns == ("a", "b", "event_date")
    assert contract.silver() == pl.Schema({"a": pl.Int64, "b": pl.Int64, "event_date": pl.Date})


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (NoDay, "event_date"),
        (Taken, r"ingest adds columns \['line'\]"),
        (UniqueWithoutDay, "Config.unique needs 'event_date'"),
        (UniqueColumn, "unique"),
        (Default, "default"),
        (Unreadable, "no reading"),
    ],
)
def test_what_ingest_does_not_do_is_refused(model: type[pa.DataFrameModel], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Contract.of(model)
