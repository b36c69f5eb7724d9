"""Land the demo's data as they come: one file per source and day, as the spec names them.

    python -m sandbox.demo.landing --from 2013-01-01 --to 2013-01-31
    python -m sandbox.demo.landing --use-case digits --from 2024-01-01 --to 2024-01-28

Runs in the environment that has the data (`sandbox/demo/data`). Reads where to land from the same variables as the
product. A file that is there already stays as it is, so landing twice is harmless.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from include.foundation.lake import Lake
from include.foundation.spec import load
from include.foundation.spec.sources import Source
from include.stages.ingest.landing import landed, uri
from sandbox.demo.data import data
from sandbox.demo.show import Show
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import REPO, SandboxError, python

USE_CASE = "flight_delays"  # unless another is asked for
THREADS = 8


def days_of(lake: Lake, use_case: str, start: date, end: date) -> Iterator[str]:
    """Land the days from `start` to `end`, inclusive; yields a line of progress per source.

    A source that comes as snapshots lands once, on the first day, unless an earlier snapshot of it is there.

    Raises:
        SandboxError: the package with the data is missing, or there are no data of the days.
    """
    raw, spec = data(use_case), load(use_case)
    if not raw.FIRST <= start <= end <= raw.LAST:
        raise SandboxError(
            f"{start} to {end}: the data are of {raw.FIRST:%Y}; choose days from {raw.FIRST} to {raw.LAST}"
        )
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    for name, files in raw.files().items():
        source = spec.source(name)
        if source.every != "snapshot":
            yield _put(lake, use_case, source, files, days)
            continue
        earlier = landed(lake.objects(), lake.landing, use_case, source, start=raw.FIRST, end=start)
        if next(earlier, None) is None:
            yield _put(lake, use_case, source, {start: files[raw.FIRST]}, [start])


def _put(lake: Lake, use_case: str, source: Source, files: Mapping[date, bytes], days: list[date]) -> str:
    started = time.perf_counter()
    objects = lake.objects()

    def put(day: date) -> bool:
        return objects.put_if_absent(uri(lake.landing, use_case, source.name, day, suffix=source.suffix), files[day])

    there = [day for day in days if day in files]
    with ThreadPoolExecutor(THREADS) as pool:
        written = sum(pool.map(put, there))
    absent = [day for day in days if day not in files]
    megabytes = sum(len(files[day]) for day in there) / 1e6
    return (
        f"{source.name}: {written} files landed, {len(there) - written} were there ({megabytes:.1f} MB,"
        f" {time.perf_counter() - started:.1f} s)" + (f"; none for {', '.join(map(str, absent))}" if absent else "")
    )


def land(at: Endpoints, show: Show, first: date, last: date, *, use_case: str = USE_CASE) -> None:
    """Land the days, in the environment that has the data.

    Raises:
        SandboxError: it failed.
    """
    words = ("--use-case", use_case, "--from", str(first), "--to", str(last))
    command = [str(python(data(use_case).ENVIRONMENT)), "-m", "sandbox.demo.landing", *words]
    process = subprocess.Popen(command, cwd=REPO, env=at.shell_env, stdout=subprocess.PIPE, text=True)
    for line in process.stdout or ():
        show.say(f"landing: {line.strip()}")
    if process.wait():
        raise SandboxError(f"landing failed with exit code {process.returncode}")


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo.landing", description=__doc__.partition("\n")[0])
    parser.add_argument("--use-case", default=USE_CASE, help=f"whose data (default {USE_CASE})")
    parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, metavar="DAY")
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="DAY", help="inclusive")
    options = parser.parse_args(arguments)
    try:
        for line in days_of(Lake.from_env(), options.use_case, options.start, options.end):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    except SandboxError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
