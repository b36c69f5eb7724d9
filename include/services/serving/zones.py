"""Clocks of time zones as polars has them, without asking it for every row.

Polars carries its own time-zone database, so the system's could differ from it. Its offsets are read once for all hours
of the years in question, and looked up from then on.
"""

from bisect import bisect_right
from functools import lru_cache

import polars as pl

HOUR, MINUTE = 3_600_000_000, 60_000_000  # microseconds
BEGIN, END = 0, 4_102_444_800_000_000  # 1970 to 2100, microseconds since 1970


class Zone:
    """Offsets from UTC, in microseconds."""

    def __init__(self, name: str) -> None:
        changed = _changes(pl.int_range(BEGIN, END, HOUR, eager=True), name)
        # The clock was changed at some minute of the hour before.
        hours = (pl.int_range(hour - HOUR, hour + MINUTE, MINUTE, eager=True) for hour in changed)
        self._starts = [BEGIN, *(start for minutes in hours for start in _changes(minutes, name))]
        self._offsets: list[int] = _offsets(pl.Series(self._starts), name).to_list()

    def offset(self, moment: int) -> int | None:
        """The offset at a moment, microseconds since 1970; None outside the years that are known."""
        if not BEGIN <= moment < END:
            return None
        return self._offsets[bisect_right(self._starts, moment) - 1]


@lru_cache(maxsize=32)
def zone(name: str) -> Zone:
    """The zone of that name."""
    return Zone(name)


def _changes(moments: pl.Series, name: str) -> list[int]:
    """Those of successive moments at which the offset is not that of the one before."""
    offsets = _offsets(moments, name)
    found: list[int] = moments.filter(offsets != offsets.shift(1)).to_list()
    return found


def _offsets(moments: pl.Series, name: str) -> pl.Series:
    """Microseconds from UTC at moments (microseconds since 1970)."""
    local = pl.col("at").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    wall = local.dt.replace_time_zone(None).cast(pl.Int64)
    return pl.DataFrame({"at": moments}).select(wall - pl.col("at"))["at"]
