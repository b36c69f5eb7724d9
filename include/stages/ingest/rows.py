"""A source's rows as bronze holds them, a bounded number at a time: from landing, or from bronze itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

from include.foundation.errors import InvalidInput
from include.foundation.lake import tables
from include.stages.ingest.faults import raise_together
from include.stages.ingest.formats import FORMATS, POSITION, Columns, NoRows
from include.stages.ingest.stream import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from include.foundation.lake import Lake
    from include.foundation.spec.sources import Source
    from include.stages.ingest.landing import File

# Landed bytes whose rows are in memory at once, as text, typed and encoded: some twenty times as much in all.
CHUNK_BYTES = 2 << 20
GZIP = 8  # a compressed file is about so many times as large inside
READERS = 8
FAULTS = 20  # files to find faults in, before the rest are left unread

# Where a row came from: a file and the line or number of a row in it; of a stream its partition and the offset.
ORIGIN = {"source_uri": pl.String(), POSITION: pl.Int64()}
ADDED = pl.Schema({"event_date": pl.Date(), **ORIGIN, "ingested_at": pl.Datetime("us", "UTC")})


def schema(columns: Sequence[str]) -> pl.Schema:
    """Bronze's columns: the landed ones as text, and where each row came from."""
    return pl.Schema([*((name, pl.String()) for name in columns), *ADDED.items()])


def landed(lake: Lake, source: Source, files: Sequence[File], names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Read and parse landed files, in order.

    `ingested_at` is when the file landed, not when it was read: the moment from which the platform could know its rows.
    So a rerun leaves the same rows.

    Args:
        lake: the lake.
        source: the source, which says how they are written.
        files: what to read.
        names: the contract's names of the landed columns.

    Raises:
        InvalidInput: files are malformed, or have changed since they were planned; all are named, up to a number.
        MissingInput: a file has gone since it was planned.
    """
    columns = Columns.of(source, names)
    faults: list[InvalidInput] = []

    def whole(file: File) -> pl.DataFrame | InvalidInput:
        try:
            return pl.concat(_frames(lake, source, file, columns))
        except InvalidInput as fault:
            return fault

    with ThreadPoolExecutor(READERS) as pool:
        for chunk in _chunks(source, files):
            if len(chunk) == 1:
                try:
                    yield from (
                        frame for frame in _ahead(_gathered(_frames(lake, source, chunk[0], columns))) if not faults
                    )
                except InvalidInput as fault:
                    faults.append(fault)
            else:
                found = [*pool.map(whole, chunk)]
                faults += [each for each in found if isinstance(each, InvalidInput)]
                if not faults:
                    yield pl.concat([each for each in found if isinstance(each, pl.DataFrame)])
            if len(faults) >= FAULTS:
                break
    raise_together(faults)


def committed(lake: Lake, bronze: str, files: Sequence[File], *, snapshot_id: int) -> Iterator[pl.DataFrame]:
    """The same rows, read back from a snapshot of bronze; a day at least is in memory."""
    left = {file.day for file in files}
    for chunk in _chunks(None, files):
        # A day's files may be in several chunks, and bronze is read by whole days.
        days = sorted(left & {file.day for file in chunk})
        left -= {*days}
        if days:
            rows = tables.read(lake, bronze, start=days[0], end=days[-1], snapshot_id=snapshot_id)
            yield rows.filter(pl.col("event_date").is_in(days))


def merged(
    lake: Lake,
    bronze: str,
    new: Iterable[pl.DataFrame],
    *,
    days: Sequence[date],
    replaced: Sequence[str],
    snapshot_id: int | None,
) -> Iterator[pl.DataFrame]:
    """The rows of days of which some hours are new, day by day: the new ones, and from bronze those of other hours.

    The order is that of the files' names, whichever hours came first. A day is in memory at once.

    Args:
        lake: the lake.
        bronze: the table.
        new: rows that landed.
        days: the days.
        replaced: URIs of the files, or of their folders (with a slash at the end), whose rows are to be replaced.
        snapshot_id: the state of bronze; None if it has none yet.
    """
    landed = pl.concat(new)
    for day in days:
        rows = [landed.filter(pl.col("event_date") == day)]
        if snapshot_id is not None:
            held = tables.read(lake, bronze, start=day, end=day, snapshot_id=snapshot_id)
            gone = pl.any_horizontal(
                pl.col("source_uri").str.starts_with(uri) if uri.endswith("/") else pl.col("source_uri") == uri
                for uri in replaced
            )
            rows.append(held.filter(~gone))
        yield pl.concat(rows, how="diagonal").select(landed.columns).sort("source_uri", POSITION)


def _frames(lake: Lake, source: Source, file: File, columns: Columns) -> Iterator[pl.DataFrame]:
    return parsed(lake.objects().stream(file.uri, etag=file.etag), source, file, columns)


def parsed(chunks: Iterator[bytes], source: Source, file: File, columns: Columns) -> Iterator[pl.DataFrame]:
    """The rows of one file's bytes, in a frame at least. Raises InvalidInput if it is malformed."""
    whole = schema(columns.names)
    with opened(chunks, source=source, name=file.uri) as stream:
        try:
            for frame in FORMATS[source.format.type].read(stream, source=source, columns=columns, name=file.uri):
                yield frame.with_columns(
                    event_date=pl.lit(file.day, dtype=ADDED["event_date"]),
                    source_uri=pl.lit(file.uri, dtype=ADDED["source_uri"]),
                    ingested_at=pl.lit(file.landed_at, dtype=ADDED["ingested_at"]),
                ).select(whole.names())
        except NoRows as none:
            if source.empty_files == "refuse":
                raise NoRows(
                    f"{none}: land it again with its rows; if nothing happened then, say `empty_files: accept` of "
                    f"{source.name} in the spec"
                ) from None
            yield pl.DataFrame(schema=whole)


def _gathered(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Small frames as larger ones: each makes data files of its own."""
    parts: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        parts.append(frame)
        size += int(frame.select(pl.sum_horizontal(pl.col(pl.String).str.len_bytes().sum())).item() or 0)
        if size >= CHUNK_BYTES:
            yield pl.concat(parts)
            parts, size = [], 0
    if parts:
        yield pl.concat(parts)


def _ahead(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same frames, the next one being parsed while the caller works on one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, frames, None)
            yield frame


def _chunks(source: Source | None, files: Sequence[File]) -> Iterator[list[File]]:
    times = GZIP if source and source.compression == "gzip" else 1
    chunk: list[File] = []
    size = 0
    for file in files:
        if chunk and size + file.size * times > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += file.size * times
    if chunk:
        yield chunk
