"""Where files land: `<landing>/<use case>/<source>/<YYYY-MM-DD>.csv`, one a day."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import PurePosixPath

from include.foundation.lake import Object, Objects


def uri(landing: str, use_case: str, source: str, day: date) -> str:
    """The URI of a source's file of a day."""
    return f"{_folder(landing, use_case, source)}{day.isoformat()}.csv"


def landed(
    objects: Objects, landing: str, use_case: str, source: str, *, start: date, end: date
) -> Iterator[tuple[date, Object]]:
    """The source's files from `start` to `end` (inclusive) that are there, by day. Other names are none of them.

    Raises:
        MissingInput: the bucket is not there.
    """
    before = uri(landing, use_case, source, start - timedelta(days=1))
    for found in objects.list(_folder(landing, use_case, source), after=before):
        try:
            day = date.fromisoformat(PurePosixPath(found.uri).stem)
        except ValueError:
            continue
        if found.uri != uri(landing, use_case, source, day):
            continue
        if day > end:
            return
        if day >= start:
            yield day, found


def _folder(landing: str, use_case: str, source: str) -> str:
    return f"{landing.rstrip('/')}/{use_case}/{source}/"
