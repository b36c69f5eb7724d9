"""Features of `digits`: the pixels of the image that is asked about. There is no history."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from include.foundation.spec import View

SIDE = 8
EXAMPLE = (
    "P2 8 8 16 0 0 5 13 9 1 0 0 0 0 13 15 10 15 5 0 0 3 15 2 0 11 8 0 0 4 12 0 0 8 8 0 0 5 8 0 0 9 8 0 0 4 11 0 1 12 "
    "7 0 0 2 14 5 10 12 0 0 0 0 6 13 10 0 0 0"
)
_HEADER = 4  # words before the first pixel

VIEWS: dict[str, View] = {}
FEATURES = {f"pixel_{row}{column}": pl.Int64() for row in range(SIDE) for column in range(SIDE)}


class Request(BaseModel):
    """What a caller sends: a scanned field."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"image": EXAMPLE, "scanned_at": "2024-01-01T08:00:00Z"}]},
    )

    image: Annotated[
        str,
        Field(
            pattern=r"^P2 8 8 16( ([0-9]|1[0-6])){64}$",
            description="plain grey map (Netpbm's P2) of 8 x 8 pixels, 0 is paper, 16 is ink, on one line",
        ),
    ]
    scanned_at: Annotated[
        AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC))
    ]

    @property
    def event_time(self) -> datetime:
        """The answer is asked for when the field is scanned."""
        return self.scanned_at


def requests(silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One request a scan."""
    return silver["scans"].select("event_date", "image", "scanned_at", id="scan", event_time="scanned_at")


def history(silver: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:  # noqa: ARG001
    """Nothing."""
    return {}


def features(joined: pl.DataFrame) -> pl.DataFrame:
    """`FEATURES` of joined rows, row for row: the image's pixels, row by row."""
    words = joined.select(pl.col("image").str.split(" "))
    return words.select(
        pl.col("image").list.get(_HEADER + place).cast(pl.Int64).alias(name) for place, name in enumerate(FEATURES)
    )


def labels(silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The digit that a clerk keyed in; null where none has yet."""
    return silver["scans"].select(id="scan", label="digit", label_known_at="keyed_at")


def mask(silver: Mapping[str, pl.DataFrame], at: datetime) -> dict[str, pl.DataFrame]:
    """Silver as it was known at `at`: what was keyed in later is not known."""
    known = pl.col("keyed_at") <= at
    return {
        "scans": silver["scans"].with_columns(
            digit=pl.when(known).then("digit"), keyed_at=pl.when(known).then("keyed_at")
        )
    }
