"""An answer as bytes: a table for people, CSV, JSON Lines or Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet")


def write(rows: pa.Table, form: str) -> bytes:
    """The rows in one of `FORMATS`. Lists and structures are JSON inside CSV."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(rows))
    if form == "table":
        with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, fmt_str_lengths=80, tbl_width_chars=-1):
            return f"{frame}\n".encode()
    if form == "json":
        return frame.write_ndjson().encode()
    sink = io.BytesIO()
    frame.write_parquet(sink) if form == "parquet" else _flat(frame).write_csv(sink)
    return sink.getvalue()


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    import json

    import polars as pl

    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(
        pl.Series(name, [None if value is None else json.dumps(value, default=str) for value in frame[name].to_list()])
        for name in nested
    )
