"""A contract for whole days, of values: how many of a day's rows have a value that the weeks before it do not have.

What is kept of a column are entries, a value on a day: the days on which a value is there after weeks without it, and
its last day. So memory grows with the different values, and neither with rows nor with days. Entries of days that were
counted apart, put together, are those of all the days.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from include.foundation.echo import listing, quoted
from include.stages.quality.contract import DAY
from include.stages.quality.days import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from include.foundation.spec.quality import Daily, Levels

MOST = 4 << 20  # bytes of a column's entries: some 100,000 short values
ENTRY = 24  # bytes of one, beside the text of its value
SHOWN = 30  # characters of an example
# `known`: the value was there in the weeks before the day.
ENTRIES = pl.Schema({"value": pl.String(), "day": pl.Date(), "rows": pl.Int64(), "known": pl.Boolean()})


class Values:
    """The values of one column. `add` takes rows in order of their days, of a day as many at once as there are.

    Args:
        column: its name; of texts or whole numbers.
        weeks: after so many without it a value is new again.
    """

    def __init__(self, column: str, *, weeks: int) -> None:
        self.column, self.weeks = column, weeks
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._given_up = False
        self.rows: Counter[date] = Counter()  # with and without a value
        self.valued: Counter[date] = Counter()
        self._entries = pl.DataFrame(schema=ENTRIES)
        self._waiting: list[pl.DataFrame] = []
        self._size = 0  # of what waits

    def add(self, rows: pl.DataFrame) -> None:
        """Count rows, which have the column and `event_date`."""
        if self._given_up:
            return
        counted = rows.group_by(pl.col(self.column).alias("value"), pl.col(DAY).alias("day")).len("rows")
        count, valued = pl.col("rows"), pl.col("value").is_not_null()
        per_day = counted.group_by("day").agg(count.sum(), count.filter(valued).sum().alias("some"))
        for day, whole, some in per_day.iter_rows():
            self.rows[day] += whole
            self.valued[day] += some
        texts = counted.filter(valued).with_columns(pl.col("value").cast(pl.String), count.cast(pl.Int64), known=False)
        self._put(texts)

    @property
    def too_many(self) -> bool:
        """Whether its values take more than `MOST`; nothing else is known then."""
        self._settle()
        return self._given_up

    def note(self) -> dict[str, Any]:
        """What is known, as a JSON value, for `take`."""
        return {
            "too_many": self.too_many,
            "rows": {day.isoformat(): count for day, count in self.rows.items()},
            "valued": {day.isoformat(): count for day, count in self.valued.items()},
            "entries": self.entries().with_columns(pl.col("day").dt.to_string()).to_dict(as_series=False),
        }

    def take(self, note: Mapping[str, Any]) -> None:
        """Take what is known of later days, as `note` gives it."""
        if note["too_many"]:
            self._give_up()
        if self._given_up:
            return
        for counts, more in ((self.rows, note["rows"]), (self.valued, note["valued"])):
            counts.update({date.fromisoformat(day): count for day, count in more.items()})
        entries = pl.DataFrame(note["entries"], schema={**ENTRIES, "day": pl.String()})
        self._put(entries.with_columns(pl.col("day").str.to_date()))

    def entries(self, before: Values | None = None) -> pl.DataFrame:
        """The entries: `value`, `day`, `rows`, `known`, in order of value and day.

        Args:
            before: values of earlier days; with it, its entries are among them.
        """
        self._settle()
        return self._entries if before is None else _settled([before.entries(), self._entries], self.weeks)

    def _put(self, entries: pl.DataFrame) -> None:
        self._waiting.append(entries)
        self._size += _size(entries)
        if self._size > MOST:
            self._settle()

    def _settle(self) -> None:
        if self._waiting:
            self._entries = _settled([self._entries, *self._waiting], self.weeks)
            self._waiting, self._size = [], 0
            if _size(self._entries) > MOST:
                self._give_up()

    def _give_up(self) -> None:
        self.clear()
        self._given_up = True


def _size(entries: pl.DataFrame) -> int:
    return int(entries["value"].str.len_bytes().sum()) + ENTRY * entries.height


def _settled(entries: list[pl.DataFrame], weeks: int) -> pl.DataFrame:
    """Each value on each day once; of those that are known, the last ones alone."""
    value, day = pl.col("value"), pl.col("day")
    again = (value == value.shift(1)) & (day - day.shift(1) <= timedelta(weeks=weeks))
    return (
        pl.concat(entries)
        .group_by("value", "day")
        .agg(pl.col("rows").sum(), pl.col("known").any())
        .sort("value", "day")
        .with_columns(pl.col("known") | again.fill_null(value=False))
        .filter(~pl.col("known") | value.ne_missing(value.shift(-1)))
    )


def compare_values(
    run: Mapping[str, Values],
    before: Mapping[str, Values],
    levels: Mapping[str, Levels],
    limits: Daily,
    *,
    days: Collection[date],
    hidden: Collection[str] = (),
) -> Iterator[Finding]:
    """Hold the values of days against those of the weeks before them.

    Args:
        run: the run's values, by column.
        before: values of earlier days, by column.
        levels: which share of a day's rows may have a new value, by column.
        limits: how far back values are known, and how many days must have some.
        days: of the run, the ones to judge.
        hidden: columns whose values are not to be told.

    Yields:
        What is unlike, by column and day. A day is not judged while fewer than `min_days` days of the weeks before it
        have a value in the column.
    """
    for name, found in run.items():
        if found.too_many or before[name].too_many:
            text = f"{name}: more than {MOST >> 20} MB of different values: take it out of `new_values`"
            yield Finding(min(days), text, stop=True)
            continue
        known = [day for values in (found, before[name]) for day, count in values.valued.items() if count]
        entries = found.entries(before[name]).filter(~pl.col("known"))
        new = {day: part for (day,), part in entries.group_by("day")}
        for day in sorted(found.rows.keys() & new.keys() & {*days}):
            reach = sum(timedelta() < day - other <= timedelta(weeks=limits.weeks) for other in known)
            share = new[day]["rows"].sum() / found.rows[day]
            if reach >= limits.min_days and share > levels[name].warn:
                values = new[day].sort("rows", "value", descending=[True, False])["value"]
                told = "" if name in hidden else f": {listing([quoted(value, SHOWN) for value in values])}"
                text = f"{name}: {share:.1%} of the rows have a value that the {limits.weeks} weeks before do not have"
                yield Finding(day, text + told, share > levels[name].stop)
