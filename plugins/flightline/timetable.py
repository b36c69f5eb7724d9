"""A schedule that begins and ends.

The dates of a Dag would do the same, but its tasks take them over (also where they say otherwise, when the stored Dag
is read), and Airflow leaves a task out of a run by hand with a later logical date: that run is green and did nothing.
"""

from datetime import UTC, date, datetime, time
from typing import Any, Self

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime, instance


class BoundedCron(CronDataIntervalTimetable):
    """A cron schedule in UTC whose data intervals begin on the days from `start` to `end`, both included."""

    def __init__(self, cron: str, *, start: date, end: date | None) -> None:
        super().__init__(cron, timezone="UTC")
        self._cron, self._start, self._end = cron, start, end

    def serialize(self) -> dict[str, Any]:
        """As JSON; `deserialize` reads it."""
        return {"cron": self._cron, "start": self._start.isoformat(), "end": self._end and self._end.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """What was serialized."""
        end = data["end"] and date.fromisoformat(data["end"])
        return cls(data["cron"], start=date.fromisoformat(data["start"]), end=end)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run; None when its interval would begin after `end`."""
        start = _midnight(self._start)
        bounded = restriction._replace(earliest=max(restriction.earliest or start, start))
        found = super().next_dagrun_info(last_automated_data_interval=last_automated_data_interval, restriction=bounded)
        return found if found and found.data_interval and self._covers(found.data_interval.start) else None

    def _covers(self, moment: DateTime) -> bool:
        return self._end is None or moment.in_timezone("UTC").date() <= self._end


def _midnight(day: date) -> DateTime:
    return instance(datetime.combine(day, time(), tzinfo=UTC))
