"""A contract for whole days: rows may each be right, and the day is half there, or a column has gone.

A day is compared with the days of the weeks before it: how many rows landed, and which share of each nullable column
has no value. It is a comparison of medians, so that one bad day before moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from include.foundation.spec.quality import Daily
    from include.stages.quality.verdict import Verdict


@dataclass(frozen=True)
class Day:
    """What is known of a day: `rows` that landed; `nulls`, per column, the share of silver rows without a value."""

    rows: int
    nulls: Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """A day that is unlike the days before it. `stop`: nothing may be published."""

    day: date
    text: str
    stop: bool

    def __str__(self) -> str:
        """For messages."""
        return f"{self.day}: {self.text}"


class Days:
    """Counts of a run's days. `add` takes verdicts, in any order."""

    def __init__(self, day: str) -> None:
        self._day = day
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._rows: dict[date, int] = {}
        self._passed: dict[date, int] = {}
        self._nulls: dict[date, dict[str, int]] = {}

    def add(self, verdict: Verdict) -> None:
        """Count a judged frame."""
        import polars as pl

        for frame in (verdict.passed, verdict.failed):
            for day, count in frame.group_by(self._day).len().iter_rows():
                self._rows[day] = self._rows.get(day, 0) + count
        columns = [name for name in verdict.passed.columns if name != self._day]
        counts = verdict.passed.group_by(self._day).agg(pl.len().alias("__rows__"), pl.col(columns).null_count())
        for row in counts.iter_rows(named=True):
            day = row.pop(self._day)
            self._passed[day] = self._passed.get(day, 0) + row.pop("__rows__")
            nulls = self._nulls.setdefault(day, {})
            for name, count in row.items():
                if count or name in nulls:
                    nulls[name] = nulls.get(name, 0) + count

    def note(self) -> dict[str, Any]:
        """The counts as a JSON value, for `take`."""
        return {name: {day.isoformat(): count for day, count in part.items()} for name, part in self._parts().items()}

    def take(self, note: Mapping[str, Any]) -> None:
        """Take the counts of other days, as `note` gives them."""
        for name, part in self._parts().items():
            part.update({date.fromisoformat(day): count for day, count in note[name].items()})

    def _parts(self) -> dict[str, dict[date, Any]]:
        return {"rows": self._rows, "passed": self._passed, "nulls": self._nulls}

    def each(self) -> dict[date, Day]:
        """The days."""
        return {
            day: Day(
                rows,
                {name: count / self._passed[day] for name, count in self._nulls.get(day, {}).items()},
            )
            for day, rows in self._rows.items()
        }

    def null_shares(self) -> dict[str, float]:
        """Per column that has some, the share of all the run's silver rows without a value, to four digits."""
        total = sum(self._passed.values())
        names = sorted({name for nulls in self._nulls.values() for name in nulls})
        return {name: round(sum(nulls.get(name, 0) for nulls in self._nulls.values()) / total, 4) for name in names}


def compare(new: Mapping[date, Day], before: Mapping[date, Day], limits: Daily) -> Iterator[Finding]:
    """Hold each new day against the days before it.

    Args:
        new: the days of the run.
        before: days that are known already; one that is also new does not count.
        limits: how far a day may be off.

    Yields:
        What is unlike, by day. A day with fewer than `min_days` known days before it is not judged.
    """
    known = {**before, **new}
    for day in sorted(new):
        reach = [known[other] for other in known if timedelta() < day - other <= timedelta(weeks=limits.weeks)]
        if len(reach) >= limits.min_days:
            yield from _rows(day, new[day], reach, limits)
            yield from _nulls(day, new[day], reach, limits)


def _rows(day: date, found: Day, reach: list[Day], limits: Daily) -> Iterator[Finding]:
    usual = median(each.rows for each in reach)
    most = max(found.rows, usual)
    off = round(1 - min(found.rows, usual) / most, 9) if most else 0.0  # exactly the level is within it
    if off > limits.rows.warn:
        text = f"{found.rows:,} rows, {usual:,.0f} on a usual day of the {limits.weeks} weeks before"
        yield Finding(day, text, off > limits.rows.stop)


def _nulls(day: date, found: Day, reach: list[Day], limits: Daily) -> Iterator[Finding]:
    for name, share in found.nulls.items():
        usual = median(each.nulls.get(name, 0.0) for each in reach)
        more = round(share - usual, 9)  # exactly the level is within it
        if more > limits.nulls.warn:
            text = f"{name}: {share:.0%} without a value, {usual:.0%} on a usual day of the {limits.weeks} weeks before"
            yield Finding(day, text, more > limits.nulls.stop)
