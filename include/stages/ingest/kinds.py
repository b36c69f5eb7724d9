"""Kinds of sources: where rows come from. Whatever the kind, bronze holds the same columns of where a row came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from include.stages.ingest import landing
from include.stages.ingest.landing import File

if TYPE_CHECKING:
    import polars as pl

    from include.foundation.lake import Lake
    from include.foundation.spec.sources import Source


class Kind(Protocol):
    """A kind of source, by the spec's `kind`."""

    def find(
        self, lake: Lake, use_case: str, source: Source, intervals: Sequence[datetime]
    ) -> Iterator[tuple[datetime, File]]:
        """What there is of each interval (its beginning, UTC), in order; nothing for an interval without anything."""

    def read(self, lake: Lake, source: Source, found: Sequence[File], names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of what was found, in order, as `rows.schema(names)` says, a bounded number at a time.

        The same call gives the same rows, or raises InvalidInput where what was found has changed since.
        """


class Files:
    """Files in the landing bucket."""

    def find(
        self, lake: Lake, use_case: str, source: Source, intervals: Sequence[datetime]
    ) -> Iterator[tuple[datetime, File]]:
        """As `Kind` says."""
        if not intervals:
            return
        wanted = set(intervals)
        start, end = min(wanted).date(), max(wanted).date()
        for at, found in landing.landed(lake.objects(), lake.landing, use_case, source, start=start, end=end):
            if at in wanted:
                file = File(
                    day=at.date(),
                    uri=found.uri,
                    size=found.size,
                    etag=found.etag,
                    # S3 tells whole seconds for one object and finer ones in a listing.
                    landed_at=found.modified.astimezone(UTC).replace(microsecond=0),
                )
                yield at, file

    def read(self, lake: Lake, source: Source, found: Sequence[File], names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """As `Kind` says."""
        from include.stages.ingest import rows

        return rows.landed(lake, source, found, names)


KINDS: Mapping[str, Kind] = {"file": Files()}
