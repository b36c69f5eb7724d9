"""A source's rows as bronze holds them, a bounded number at a time: from landing, or from bronze itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

from include.foundation.lake import tables
from include.stages.ingest.csv_file import LINE, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.foundation.lake import Lake
    from include.stages.ingest.plan import File

# Landed bytes whose rows are in memory at once, as text and typed: some ten times as much in all.
CHUNK_BYTES = 16 << 20
READERS = 8

ADDED = pl.Schema(
    {
        "event_date": pl.Date(),
        "source_file": pl.String(),
        LINE: pl.Int64(),
        "ingested_at": pl.Datetime("us", "UTC"),
    }
)


def schema(columns: Sequence[str]) -> pl.Schema:
    """Bronze's columns: the landed ones as text, and where each row came from."""
    return pl.Schema([*((name, pl.String()) for name in columns), *ADDED.items()])


def landed(lake: Lake, files: Sequence[File], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Read and parse landed files, in order.

    `ingested_at` is when the file landed, not when it was read: the moment from which the platform could know its rows.
    So a rerun leaves the same rows.

    Raises:
        InvalidInput: a file is malformed, or has changed since it was planned.
        MissingInput: a file has gone since it was planned.
    """
    names = schema(columns).names()

    def read(file: File) -> pl.DataFrame:
        text = parse(lake.objects().get(file.uri, etag=file.etag), name=file.uri, columns=columns)
        return text.with_columns(
            event_date=pl.lit(file.day, dtype=ADDED["event_date"]),
            source_file=pl.lit(file.uri, dtype=ADDED["source_file"]),
            ingested_at=pl.lit(file.landed_at, dtype=ADDED["ingested_at"]),
        ).select(names)

    with ThreadPoolExecutor(READERS) as pool:
        for chunk in _chunks(files):
            yield pl.concat(pool.map(read, chunk))


def committed(lake: Lake, bronze: str, files: Sequence[File], *, snapshot_id: int) -> Iterator[pl.DataFrame]:
    """The same rows, read back from a snapshot of bronze."""
    for chunk in _chunks(files):
        days = [file.day for file in chunk]
        rows = tables.read(lake, bronze, start=min(days), end=max(days), snapshot_id=snapshot_id)
        yield rows.filter(pl.col("event_date").is_in(days))


def _chunks(files: Sequence[File]) -> Iterator[list[File]]:
    chunk: list[File] = []
    size = 0
    for file in files:
        if chunk and size + file.size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += file.size
    if chunk:
        yield chunk
