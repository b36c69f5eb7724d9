"""A small use case: shops ask before each sale whether it will be returned; returns become known hours later."""

from datetime import UTC, date, datetime, timedelta
from types import ModuleType, SimpleNamespace

import polars as pl
import pytest
from pydantic import BaseModel

from include.foundation.history.join import UTC as MOMENT
from include.foundation.spec import View

FIRST = date(2024, 1, 1)


class Request(BaseModel):
    shop: str
    size: int


def returned_at():
    return pl.col("sold_at") + timedelta(hours=3)


def requests(silver):
    return silver["sales"].select("id", "event_date", "shop", "size", event_time="sold_at")


def history(silver):
    sales = silver["sales"].filter(pl.col("returned").is_not_null())
    returns = sales.select("shop", known_at=returned_at(), returned=pl.col("returned").cast(pl.Int64))
    staff = silver["staff"].select("shop", "clerks", known_at=pl.col("event_date").cast(MOMENT))
    return {"returns": returns, "staff": staff}


def features(joined):
    return joined.select("size", past="returns__returned", clerks=pl.col("staff__clerks") * 1.0)


def labels(silver):
    return silver["sales"].select(
        "id", label=pl.col("returned"), label_known_at=pl.when(pl.col("returned").is_not_null()).then(returned_at())
    )


def mask(silver, at):
    unknown = returned_at() > at
    return {
        "sales": silver["sales"].with_columns(returned=pl.when(~unknown).then("returned")),
        "staff": silver["staff"].filter(pl.col("event_date").cast(MOMENT) <= at),
    }


@pytest.fixture
def module():
    """The use case's features module; each test gets its own to spoil."""
    made = ModuleType("features")
    vars(made).update(
        VIEWS={
            "returns": View(keys=("shop",), max_age=timedelta(hours=20), values={"returned": pl.Int64}),
            "staff": View(keys=("shop",), max_age=timedelta(days=999), values={"clerks": pl.Int64}),
        },
        FEATURES={"size": pl.Int64, "past": pl.Int64, "clerks": pl.Float64},
        **{thing.__name__: thing for thing in (Request, requests, history, features, labels, mask)},
    )
    return made


@pytest.fixture
def silver():
    """Ten days of sales, every hour of both shops, and two snapshots of the staff."""
    hours = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(240)]
    sales = [
        {
            "id": f"{shop}{n}",
            "event_date": at.date(),
            "sold_at": at,
            "shop": shop,
            "size": n % 7,
            "returned": (n * (3 if shop == "a" else 5) % 11 < 4) if n % 13 else None,
        }
        for n, at in enumerate(hours)
        for shop in "ab"
    ]
    staff = [{"event_date": FIRST + timedelta(days=day), "shop": "a", "clerks": day} for day in (0, 4)]
    return {"sales": pl.DataFrame(sales).cast({"sold_at": MOMENT}), "staff": pl.DataFrame(staff)}


@pytest.fixture
def spec():
    """What the leak check reads of a spec."""
    sources = (SimpleNamespace(name="sales", every="day"), SimpleNamespace(name="staff", every="snapshot"))
    return SimpleNamespace(sources=sources, features=SimpleNamespace(lookback_days=1, label_days=0))
