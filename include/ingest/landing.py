"""Where files land: `<landing>/<use case>/<source>/<YYYY-MM-DD>.csv`, one a day."""

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import PurePosixPath

from include.lake import Object, Objects


def uri(landing: str, use_case: str, source: str, day: date) -> str:
    """The URI of a source's file of a day."""
    return f"{prefix(landing, use_case, source)}{day.isoformat()}.csv"


def prefix(landing: str, use_case: str, source: str) -> str:
    """What the URIs of all files of a source begin with."""
    return f"{landing.rstrip('/')}/{use_case}/{source}/"


def landed(objects: Objects, landing: str, use_case: str, source: str) -> Iterator[tuple[date, Object]]:
    """The source's files that are there, by day. Objects with other names are none of them.

    Raises:
        MissingInput: the bucket is not there.
    """
    for found in objects.list(prefix(landing, use_case, source)):
        path = PurePosixPath(found.uri)
        try:
            day = date.fromisoformat(path.stem)
        except ValueError:
            continue
        if found.uri == uri(landing, use_case, source, day):
            yield day, found


def span(days: Iterable[date]) -> str:
    """Days for a message: `2013-01-01` or `2013-01-01 to 2013-01-31`."""
    ordered = sorted(days)
    return str(ordered[0]) if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
