"""When a schedule runs: five fields as crontab(5) has them, or a word such as `@daily`.

Airflow's parser takes more (`L`, `#`, seconds, ranges that end before they begin), is not in the image that serves, and
fails without naming the spec; so what a spec may say is checked here.
"""

import re
from dataclasses import dataclass

WORDS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of each month
_ITEM = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,2}))?")


@dataclass(frozen=True)
class _Field:
    """One of the five: its bounds, and the names of its values, from the lowest on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> set[int]:
        """What a list of values, ranges and steps stands for. Raises ValueError if it stands for nothing."""
        items = text.split(",")
        if "*" in items[1:] or items[0] == "*" != text:  # Airflow's parser takes it, and fails at the next run
            raise ValueError(f"{text!r}: a * stands alone")
        return {value for item in items for value in self._item(item)}

    def _item(self, text: str) -> range:
        if found := _ITEM.fullmatch(text.lower()):
            first, last, step = found.groups()
            low = self._value(first) if first else self.low
            high = self._value(last) if last else low if first and not step else self.high
            every = int(step or 1)
            if self.low <= low <= high <= self.high and (not last or low < high) and 1 <= every <= self.high:
                return range(low, high + 1, every)
        raise ValueError(
            f"{text!r} says no {self.name}: {self.low} to {self.high}, a range upwards (2-4) or a step (*/2)"
        )

    def _value(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        return int(text) if re.fullmatch("[0-9]{1,2}", text) else -1


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def check(cron: str) -> str:
    """The same text.

    Raises:
        ValueError: it is neither, a field is out of bounds, or there is never such a day.
    """
    if cron in WORDS:
        return cron
    texts = re.split(" +", cron)
    if len(texts) != len(_FIELDS):
        raise ValueError(f"{cron!r} is neither one of {', '.join(WORDS)} nor minute, hour, day, month and weekday")
    _, _, days, months, _ = (field.values(text) for field, text in zip(_FIELDS, texts, strict=True))
    if texts[-1] == "*" and all(min(days) > LONGEST[month - 1] for month in months):
        raise ValueError(f"{cron!r}: none of these months has such a day")
    return cron
