"""Where files land: `<landing>/<use case>/<source>/<interval><suffix>`, or any number under `<interval>/`.

An interval is a day (`2013-01-31`) or, of a source that lands hourly, an hour in UTC (`2013-01-31T05`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.foundation.lake import Object, Objects
    from include.foundation.spec.sources import Source

LOOKED_AT = 10_000  # objects, in search of a file under another name


class File(BaseModel):
    """A landed file as it was when the run was planned."""

    model_config = ConfigDict(frozen=True)

    day: date
    uri: str
    size: int
    etag: str
    landed_at: datetime


def uri(landing: str, use_case: str, source: str, day: date, *, suffix: str = ".csv") -> str:
    """The URI of a source's file of a day."""
    return f"{folder(landing, use_case, source)}{day.isoformat()}{suffix}"


def expected(landing: str, use_case: str, source: Source, interval: datetime) -> str:
    """The URI of an interval's file, or of the folder of its files."""
    end = source.suffix if source.files == "one" else "/"
    return f"{folder(landing, use_case, source.name)}{stem(source, interval)}{end}"


def stem(source: Source, interval: datetime) -> str:
    """What the name of an interval's files begins with."""
    return f"{interval:%Y-%m-%dT%H}" if source.every == "hour" else f"{interval:%Y-%m-%d}"


def landed(
    objects: Objects, landing: str, use_case: str, source: Source, *, start: date, end: date
) -> Iterator[tuple[datetime, Object]]:
    """The source's files from day `start` to `end` (inclusive), by interval; objects with other names are left out.

    Raises:
        MissingInput: the bucket is not there.
    """
    within = folder(landing, use_case, source.name)
    # All names of a day begin with it, and nothing that begins with the day before sorts behind `~`.
    for found in objects.list(within, after=f"{within}{start - timedelta(days=1)}~"):
        interval = _interval(found.uri.removeprefix(within), source)
        if interval is None:
            continue
        if interval.date() > end:
            return
        if interval.date() >= start:
            yield interval, found


def near_misses(objects: Objects, landing: str, use_case: str, source: Source, interval: datetime) -> list[str]:
    """URIs of objects of the use case that are named nearly as the missing one: other case, zeros, ending, dashes."""
    within = f"{landing.rstrip('/')}/{use_case}/"
    wanted = _essence(expected(landing, use_case, source, interval).removeprefix(within))
    return [
        found.uri
        for found in islice(objects.list(within), LOOKED_AT)
        if _essence(found.uri.removeprefix(within)) == wanted
    ]


def folder(landing: str, use_case: str, source: str) -> str:
    """Where the files of a source land."""
    return f"{landing.rstrip('/')}/{use_case}/{source}/"


def _interval(name: str, source: Source) -> datetime | None:
    """The interval of a file by its name below the source's folder; None if it is no such name."""
    text, slash, _ = name.partition("/")
    if bool(slash) != (source.files == "many") or not name.endswith(source.suffix):
        return None
    try:
        interval = datetime.fromisoformat(text if slash else text.removesuffix(source.suffix)).replace(tzinfo=UTC)
    except ValueError:
        return None
    return interval if stem(source, interval) == (text if slash else text.removesuffix(source.suffix)) else None


def _essence(name: str) -> tuple[str, str] | None:
    """The letters of a path's folders, and the numbers of the first date in it; None if there is no date."""
    date_like = re.search(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})(?:[T _-]?(\d{2}))?(?!\d)", name)
    if date_like is None:
        return None
    letters = re.sub(r"[^a-z]", "", name[: date_like.start()].lower())
    return letters, "-".join(f"{int(number):02}" for number in date_like.groups() if number)
