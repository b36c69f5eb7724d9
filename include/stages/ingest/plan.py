"""What a run will read: the landed files of its days, found before anything is done."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Self

from pydantic import BaseModel, ConfigDict

from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import Lake
from include.foundation.spec import UseCase
from include.foundation.spec.sources import Source
from include.stages.ingest import landing


class File(BaseModel):
    """A landed file as it was when the run was planned."""

    model_config = ConfigDict(frozen=True)

    day: date
    uri: str
    size: int
    etag: str
    landed_at: datetime


class Plan(BaseModel):
    """The days and files of a run. `model_dump(mode="json")` is small enough for an XCom; `Plan(**json)` reads it."""

    model_config = ConfigDict(frozen=True)

    use_case: str
    days: tuple[date, ...]
    files: dict[str, tuple[File, ...]]

    @classmethod
    def of(cls, lake: Lake, spec: UseCase, days: Iterable[date]) -> Self:
        """Find the files of the days.

        Raises:
            InvalidInput: there are no days.
            MissingInput: a daily source's file is not there (yet); the message names the first ones.
        """
        wanted = sorted(set(days))
        if not wanted:
            raise InvalidInput(f"{spec.name}: a run needs at least one day")
        files = {source.name: tuple(_find(lake, spec.name, source, wanted)) for source in spec.sources}
        missing = [
            (source, day)
            for source in spec.sources
            if source.every != "snapshot"
            for day in sorted({*wanted} - {file.day for file in files[source.name]})
        ]
        if missing:
            raise MissingInput(_not_landed(lake, spec.name, missing))
        return cls(use_case=spec.name, days=tuple(wanted), files=files)

    def changed(self, lake: Lake, source: Source) -> dict[date, str]:
        """Days whose landed files of the source are not the planned ones, and such a file.

        It is another, or none any more, or there was none.
        """
        planned, now = (
            {(file.day, file.uri, file.etag) for file in files}
            for files in (self.files[source.name], _find(lake, self.use_case, source, self.days))
        )
        return {day: uri for day, uri, _ in sorted(planned ^ now)}

    def key(self, source: Source, *, run_id: str, code: str) -> str:
        """The run key of one source: the same run on the same files with the same code has the same one."""
        files = [[file.uri, file.etag] for file in self.files[source.name]]
        content = json.dumps([self.use_case, source.model_dump(mode="json"), run_id, code, files])
        return hashlib.sha256(content.encode()).hexdigest()


def _not_landed(lake: Lake, use_case: str, missing: Sequence[tuple[Source, date]]) -> str:
    """What is missing, and what is there under nearly the same name."""
    at = [(source, datetime.combine(day, time(), UTC)) for source, day in missing]
    told = f"not landed (yet): {listing([landing.expected(lake.landing, use_case, *each) for each in at], 3)}"
    near = sorted(
        {uri for each in at[:3] for uri in landing.near_misses(lake.objects(), lake.landing, use_case, *each)}
    )
    return f"{told}; there is {listing(near, 3)}" if near else told


def _find(lake: Lake, use_case: str, source: Source, days: Sequence[date]) -> Iterator[File]:
    wanted = set(days)
    for at, found in landing.landed(lake.objects(), lake.landing, use_case, source, start=days[0], end=days[-1]):
        if at.date() in wanted:
            yield File(
                day=at.date(),
                uri=found.uri,
                size=found.size,
                etag=found.etag,
                # S3 tells whole seconds for one object and finer ones in a listing.
                landed_at=found.modified.astimezone(UTC).replace(microsecond=0),
            )
