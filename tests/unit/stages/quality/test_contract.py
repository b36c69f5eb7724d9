from datetime import date
from pathlib import Path
from typing import Annotated, Any

import narwhals as nw
import pandera.polars as pa
import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.stages.quality import Contract, judge
from include.stages.quality.casting import FLOATS, INTEGERS


class Good(pa.DataFrameModel):
    a: int
    b: int = pa.Field(metadata={"derived": lambda: nw.col("a")})
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
    source_uri: str
    event_date: date


class Unreadable(pa.DataFrameModel):
    a: pl.List
    event_date: date


class OneText(pa.DataFrameModel):
    a: str = pa.Field(isin=("dc",))
    event_date: date


class DerivedByName(pa.DataFrameModel):
    a: int
    b: int = pa.Field(metadata={"derived": "a"})
    event_date: date


ZONED, FINE = Annotated[pl.Datetime, "us", "America/New_York"], Annotated[pl.Datetime, "ns", None]


@pytest.mark.parametrize("derived", [False, True])
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (ZONED, r"Datetime\(.*'America/New_York'\), .* use Datetime\(time_unit='us', time_zone='UTC'\)"),
        (FINE, r"Datetime\(time_unit='ns', .* use Datetime\(time_unit='us', time_zone=None\)"),
        (pl.UInt32, "UInt32, .* use Int64"),
        (pl.UInt64, "UInt64, .* use Int64"),
        (pl.Int128, "Int128, .* use Int64"),
        (pl.Float16, "Float16, .* use Float64"),
        (pl.Duration, "Duration.* use Int64"),
    ],
)
@pytest.mark.filterwarnings("ignore:'.*' support is not guaranteed")
def test_a_type_that_no_table_holds_is_refused(kind: Any, told: str, derived: bool) -> None:
    class Model(pa.DataFrameModel):
        x: kind = pa.Field(metadata={"derived": lambda: None} if derived else None)
        event_date: date

    with pytest.raises(InvalidInput, match=f"contract Model: column 'x' is {told}"):
        Contract.of(Model)


TEXTS = {pl.Boolean: "true", pl.Date: "2013-01-01", pl.String: "a"}
TIMES = [Annotated[pl.Datetime, unit, zone] for unit in ("us", "ms") for zone in (None, "UTC")]


@pytest.mark.parametrize("kind", [*sorted([*INTEGERS, *FLOATS], key=str), *TEXTS, *TIMES])
def test_every_other_type_that_has_a_reading_can_be_held(tmp_path: Path, kind: Any) -> None:
    class Model(pa.DataFrameModel):
        x: kind
        event_date: date

    contract = Contract.of(Model)
    parsed = contract.silver()["x"]
    text = TEXTS.get(kind, "127")
    if isinstance(parsed, pl.Datetime):
        text = "2013-01-01T10:00:00" + ("Z" if parsed.time_zone else "")
    day = date(2013, 1, 1)
    passed = judge(contract, pl.DataFrame({"x": [text], "event_date": [day]}), null_values=()).passed
    catalog = {"type": "sql", "uri": f"sqlite:///{tmp_path}/c.db", "warehouse": f"file://{tmp_path}"}
    lake = Lake(catalog_properties=catalog, landing="", models="")
    for _ in range(2):
        replace_days(lake, "silver.t", passed, [day], {})
    assert tables.read(lake, "silver.t").rows() == passed.rows() != []


def test_derived_columns_and_the_day_do_not_land() -> None:
    contract = Contract.of(Good)
    assert contract.landed == ("a",)
    assert contract.columns == ("a", "b", "event_date")
    assert contract.silver() == pl.Schema({"a": pl.Int64, "b": pl.Int64, "event_date": pl.Date})


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (NoDay, "event_date"),
        (Taken, r"ingest adds columns \['source_uri'\]"),
        (UniqueWithoutDay, "Config.unique needs 'event_date'"),
        (UniqueColumn, "unique"),
        (Default, "default"),
        (Unreadable, "no reading"),
        (OneText, "column 'a': isin of one text is read as its letters: give a list"),
        (DerivedByName, "column 'b': `derived` must be a function"),
    ],
)
def test_what_ingest_does_not_do_is_refused(model: type[pa.DataFrameModel], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Contract.of(model)


def of(**members: Any) -> type[pa.DataFrameModel]:
    kinds = {"code": str, "event_date": date} | members.pop("__annotations__", {})
    return type("Model", (pa.DataFrameModel,), {"__annotations__": kinds, **members})


def check(function: Any) -> Any:
    return pa.dataframe_check(error="codes are short")(classmethod(lambda cls, data: function(data.lazyframe)))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (of(code=pa.Field(str_matches="^(?!ZZ)[A-Z]{2}$")), "check .* cannot run: .*look-ahead"),
        (of(_c=check(lambda rows: rows.select(pl.col("codes") == "x"))), "'codes are short' cannot run: .*codes"),
        (of(_c=check(lambda rows: rows.select(pl.col("code").n_unique() < 9))), "answers once for all rows"),
        (
            of(__annotations__={"twice": int}, twice=pa.Field(metadata={"derived": lambda: nw.col("cod")})),
            "'twice' cannot be derived: .*cod",
        ),
        (
            of(__annotations__={"twice": int}, twice=pa.Field(metadata={"derived": lambda: nw.col("code")})),
            "'twice' is derived as String, and the contract says Int64",
        ),
        (
            of(__annotations__={"at": pl.Datetime("us", "UTC")}, at=pa.Field(metadata={"format": "%Y-%m-%d %H:%M"})),
            "has no offset: say its `time_zone`",
        ),
        (
            of(__annotations__={"at": pl.Datetime("us")}, at=pa.Field(metadata={"time_zone": "America/New_York"})),
            "its type has none",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_told_with_its_cause(model: type[pa.DataFrameModel], told: str) -> None:
    with pytest.raises(InvalidInput, match=f"contract Model: .*{told}"):
        Contract.of(model)
