"""What a scan must be to enter silver.

An image is text in the plain format of Netpbm's grey maps (https://netpbm.sourceforge.net/doc/pgm.html), on one line:
`P2`, width, height, greatest value, then the pixels row by row, 0 (paper) to 16 (ink). Its SHA-256 is its identity: the
same pixels twice in a day are one scan that was sent twice, or two fields of which one has the wrong image.
"""

import hashlib
from datetime import date
from typing import Annotated

import narwhals as nw
import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

UTC = Annotated[pl.Datetime, "us", "UTC"]
SHAPE = r"^P2 8 8 16( [0-9]{1,3}){64}$"
PIXELS = r"^P2 [0-9]+ [0-9]+ [0-9]+( ([0-9]|1[0-6]))*$"


def _rows(data: PolarsData, passes: nw.Expr) -> pl.LazyFrame:
    return nw.from_native(data.lazyframe).select(passes).to_native()


def sha256(image: str) -> str:
    """The content hash of an image, hex."""
    return hashlib.sha256(image.encode()).hexdigest()


class Scans(pa.DataFrameModel):
    """One field of a form, scanned, and the digit that a clerk keyed in for it, once one has."""

    scan: str = pa.Field(str_matches=r"^[0-9]{8}-[0-9]{3}$")
    scanned_at: UTC
    image: str
    sha256: str
    digit: int = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 9})
    keyed_at: UTC = pa.Field(nullable=True)
    event_date: date

    @pa.dataframe_check(error="image is a grey map of 8 x 8 pixels")
    @classmethod
    def _shape(cls, data: PolarsData) -> pl.LazyFrame:
        return _rows(data, nw.col("image").str.contains(SHAPE))

    @pa.dataframe_check(error="pixels are from 0 to 16")
    @classmethod
    def _range(cls, data: PolarsData) -> pl.LazyFrame:
        return _rows(data, nw.col("image").str.contains(PIXELS))

    @pa.dataframe_check(error="sha256 is that of the image")
    @classmethod
    def _content(cls, data: PolarsData) -> pl.LazyFrame:
        hashed = pl.col("image").map_elements(sha256, return_dtype=pl.String)
        return data.lazyframe.select(hashed == pl.col("sha256"))

    @pa.dataframe_check(error="digit and keyed_at are both there or both missing")
    @classmethod
    def _keyed(cls, data: PolarsData) -> pl.LazyFrame:
        return _rows(data, nw.col("digit").is_null() == nw.col("keyed_at").is_null())

    @pa.dataframe_check(error="scanned on the batch's day (UTC), keyed in after that")
    @classmethod
    def _moments(cls, data: PolarsData) -> pl.LazyFrame:
        late = (nw.col("keyed_at") >= nw.col("scanned_at")) | nw.col("keyed_at").is_null()
        return _rows(data, late & (nw.col("scanned_at").dt.date() == nw.col("event_date")))

    class Config:
        """Of equal images in a batch, equal rows count once, and rows that contradict each other not at all."""

        unique = ("event_date", "sha256")
