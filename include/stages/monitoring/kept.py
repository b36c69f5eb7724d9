"""What was seen earlier: a window that was judged stands until its rows change.

The newest commit of the table `monitoring.<use case>` says who judged (version, code and rules), up to which day, and
which states of gold and of the prediction log. What their commits have changed since is to be judged again; everything
is where another judged, or where it is not known what has changed. So a run reads what is new, not the years before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.commit_log import RUN_KEY, changed_since, log, ranges
from include.foundation.lake.layout import DAY
from include.foundation.spec import UseCase
from include.stages.monitoring import live, report
from include.stages.monitoring.live import Live
from include.stages.monitoring.observation import Observation
from include.stages.monitoring.reference import Reference

BY, UNTIL, GOLD, LOG = "judged_by", "judged_until", "gold_snapshot", "log_snapshot"  # keys of a commit's summary
NONE = "none"  # a table that is not there, or has no rows


@dataclass(frozen=True, order=True)
class Window:
    """Days since the training, `start` and `end` inclusive; windows are numbered from 0."""

    number: int
    start: date
    end: date

    @property
    def days(self) -> list[date]:
        """Each of them."""
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days + 1)]


@dataclass(frozen=True)
class Seen:
    """What a window showed, and how versions did on what they were asked about its days."""

    window: Window
    observation: Observation
    lives: Sequence[Live]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The tables `monitoring.<use case>` and `monitoring.<use case>__live`.

    Attributes:
        lake: the lake.
        spec: the use case.
        version: the version that is watched.
        by: names all that a judgement depends on besides rows.
        states: the newest commits of gold and of the log that changed rows; what is read later is of these or newer.
    """

    lake: Lake
    spec: UseCase
    version: str
    by: str
    states: Mapping[str, str]

    @classmethod
    def now(cls, lake: Lake, spec: UseCase, *, version: str, by: str) -> "Kept":
        """As tables are now."""
        states = {key: _state(lake, name) for key, name in _sources(spec).items()}
        return cls(lake=lake, spec=spec, version=version, by=by, states=states)

    def to_judge(self, windows: Sequence[Window]) -> list[Window]:
        """Those of the windows that were not judged, or whose rows have changed since."""
        said = self._said()
        changed = self._changed(said) if said is not None and said[BY] == self.by else None
        if said is None or changed is None:
            return [*windows]
        until = date.fromisoformat(said[UNTIL])
        return [each for each in windows if each.end > until or not changed.isdisjoint(each.days)]

    def read(self, windows: Sequence[Window]) -> list[Seen]:
        """What was seen of windows, in their order; of one that had no rows, or was not judged, nothing."""
        of = {day: window for window in windows for day in window.days}
        lives: dict[date, list[Live]] = {}
        for row in self._rows(self.spec.live_table, of):
            lives.setdefault(row[DAY], []).append(live.of_row(row))
        seen = [
            Seen(of[row[DAY]], report.of_row(row), lives.get(row[DAY], ()))
            for row in self._rows(self.spec.monitoring_table, of)
            if row["version"] == self.version
        ]
        return sorted(seen, key=lambda each: each.window)

    def replace(self, judged: Sequence[Window], seen: Sequence[Seen], reference: Reference, *, until: date) -> None:
        """Keep what was seen now.

        Args:
            judged: the windows that were looked at.
            seen: of these, what those with rows showed.
            reference: what was ordinary.
            until: last day of the last window: what `to_judge` did not name stands.
        """
        every = [*self.read(judged), *seen]
        # A window's row is on its last day with rows, which may be another one now.
        if not (days := {each.observation.end for each in every}):
            return
        said = {**self.states, BY: self.by, UNTIL: until.isoformat(), RUN_KEY: f"{self.version} {until}"}
        if any(each.lives for each in every):
            lives = live.rows_of([each for one in seen for each in one.lives], reference.metric)
            replace_days(self.lake, self.spec.live_table, lives, days, said)
        rows = report.rows_of(self.version, reference, [each.observation for each in seen])
        replace_days(self.lake, self.spec.monitoring_table, rows, days, said)  # the last: it says that all is judged

    def _said(self) -> Mapping[str, str] | None:
        """What the newest judgement says of itself; None where there is none, or another program has been here."""
        try:
            commits = log(tables.load(self.lake, self.spec.monitoring_table))
        except MissingInput:
            return None
        newest = next((each for each in commits if each.days is None or BY in each.summary), None)
        return None if newest is None or newest.days is None else newest.summary

    def _changed(self, said: Mapping[str, str]) -> set[date] | None:
        """The days whose rows have changed since a judgement; None where that is not known."""
        found = dict[str, frozenset[date]]()
        for key, name in _sources(self.spec).items():
            if said[key] == self.states[key]:
                continue
            days = None if NONE in (said[key], self.states[key]) else _since(self.lake, name, said[key])
            if days is None:
                return None
            found[key] = days
        asked: set[date] = set()
        for day in found.get(LOG, ()):
            about = tables.read(self.lake, self.spec.predictions_table, start=day, end=day, columns=["asked_date"])
            asked.update(about["asked_date"].drop_nulls().unique())
        # A row may have been about the day beside, while gold did not have it (`answered`).
        return {*found.get(GOLD, ()), *(day + timedelta(days=n) for day in asked for n in (-1, 0, 1))}

    def _rows(self, identifier: str, days: Iterable[date]) -> Iterator[Mapping[str, Any]]:
        for first, last in ranges(sorted(days)):
            try:
                yield from tables.read(self.lake, identifier, start=first, end=last).iter_rows(named=True)
            except MissingInput:
                return


def whole(since: date, last: date, length: int) -> list[Window]:
    """The windows of so many days that begin with `since` and are over by `last`."""
    starts = (since + timedelta(days=number * length) for number in range(((last - since).days + 1) // length))
    return [Window(number, start, start + timedelta(days=length - 1)) for number, start in enumerate(starts)]


def _sources(spec: UseCase) -> dict[str, str]:
    return {GOLD: spec.gold, LOG: spec.predictions_table}


def _state(lake: Lake, identifier: str) -> str:
    """The newest commit of a table that changed rows: compaction's may be forgotten when it expires."""
    try:
        commits = log(tables.load(lake, identifier))
    except MissingInput:
        return NONE
    return next((str(each.snapshot_id) for each in commits if each.days is None or each.days), NONE)


def _since(lake: Lake, identifier: str, snapshot_id: str) -> frozenset[date] | None:
    return changed_since(tables.load(lake, identifier), int(snapshot_id))
