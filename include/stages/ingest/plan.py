"""What a run will read: the landed files of its days, found before anything is done."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Self

from pydantic import BaseModel, ConfigDict

from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import Lake
from include.foundation.spec import UseCase
from include.foundation.spec.sources import Source
from include.stages.ingest import landing
from include.stages.ingest.kinds import KINDS
from include.stages.ingest.landing import File


class Plan(BaseModel):
    """The days and files of a run. `model_dump(mode="json")` is small enough for an XCom; `Plan(**json)` reads it.

    Attributes:
        use_case: its name.
        days: every day of which rows may change.
        hours: the hours (UTC) of a run that is about some hours of its days, for sources that land hourly; None for a
            run on whole days.
        ended: of such a run, the days that end with it, for the other sources.
        files: per source, what has landed.
    """

    model_config = ConfigDict(frozen=True)

    use_case: str
    days: tuple[date, ...]
    hours: tuple[datetime, ...] | None = None
    ended: tuple[date, ...] = ()
    files: dict[str, tuple[File, ...]]

    @classmethod
    def of(cls, lake: Lake, spec: UseCase, days: Iterable[date], *, hours: Iterable[datetime] | None = None) -> Self:
        """Find the files of the days.

        Args:
            lake: where they are.
            spec: the use case.
            days: whole days.
            hours: of sources that land hourly, these hours and no others; None for all hours of the days.

        Raises:
            InvalidInput: there are neither days nor hours.
            MissingInput: a file that lands every day or hour is not there (yet); the message names the first ones.
        """
        whole = sorted(set(days))
        some = None if hours is None else tuple(sorted(set(hours)))
        every = tuple(sorted({*whole, *(hour.date() for hour in some or ())}))
        if not every:
            raise InvalidInput(f"{spec.name}: a run needs at least one day")
        plan = cls(use_case=spec.name, days=every, hours=some, ended=() if some is None else tuple(whole), files={})
        found = {
            source.name: [*KINDS[source.kind].find(lake, spec.name, source, plan.intervals(source))]
            for source in spec.files
        }
        missing = [
            (source, interval)
            for source in spec.files
            if source.every != "snapshot"
            for interval in sorted({*plan.intervals(source)} - {at for at, _ in found[source.name]})
        ]
        if missing:
            raise MissingInput(_not_landed(lake, spec.name, missing))
        return plan.model_copy(
            update={"files": {name: tuple(file for _, file in each) for name, each in found.items()}}
        )

    def intervals(self, source: Source) -> list[datetime]:
        """When the files of a source begin that belong to the run."""
        if source.every == "hour":
            return [*self.hours] if self.hours is not None else [at for day in self.days for at in hours_of(day)]
        return [datetime.combine(day, time(), UTC) for day in (self.days if self.hours is None else self.ended)]

    def is_whole(self, source: Source, day: date) -> bool:
        """Whether the run sees the end of the day of a source."""
        return source.every != "hour" or self.hours is None or hours_of(day)[-1] in self.hours

    def changed(self, lake: Lake, source: Source) -> dict[date, str]:
        """Days whose landed files of the source are not the planned ones, and such a file.

        It is another, or none any more, or there was none.
        """
        there = KINDS[source.kind].find(lake, self.use_case, source, self.intervals(source))
        planned, now = (
            {(file.day, file.uri, file.etag) for file in files}
            for files in (self.files[source.name], [file for _, file in there])
        )
        return {day: uri for day, uri, _ in sorted(planned ^ now)}

    def key(self, source: Source, *, run_id: str, code: str) -> str:
        """The run key of one source: the same run on the same files with the same code has the same one."""
        files = [[file.uri, file.etag] for file in self.files[source.name]]
        content = json.dumps([self.use_case, source.model_dump(mode="json"), run_id, code, files])
        return hashlib.sha256(content.encode()).hexdigest()


def hours_of(day: date) -> list[datetime]:
    """The 24 hours of a day in UTC."""
    return [datetime.combine(day, time(hour), UTC) for hour in range(24)]


def _not_landed(lake: Lake, use_case: str, missing: Sequence[tuple[Source, datetime]]) -> str:
    """What is missing, and what is there under nearly the same name."""
    message = f"not landed (yet): {listing([landing.expected(lake.landing, use_case, *each) for each in missing], 3)}"
    near = sorted(
        {uri for each in missing[:3] for uri in landing.near_misses(lake.objects(), lake.landing, use_case, *each)}
    )
    return f"{message}; there is {listing(near, 3)}" if near else message
