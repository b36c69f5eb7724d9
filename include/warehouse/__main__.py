"""`python -m include.warehouse "select ..."`: read-only SQL over the lake that the environment names."""

import argparse
import sys
from pathlib import Path

from include.foundation.errors import FlightlineError
from include.foundation.lake import Lake
from include.warehouse.duck import DuckWarehouse
from include.warehouse.formats import FORMATS, write
from include.warehouse.question import Limits, Question, moment


def main(arguments: list[str] | None = None) -> int:
    """Ask one question; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.warehouse", description=__doc__)
    parser.add_argument("sql", help="one SELECT; tables are namespace.table")
    parser.add_argument("--at", type=moment, help="read the tables as they were: a day or a moment (UTC)")
    parser.add_argument("--snapshot", type=int, help="read the one table as of this snapshot")
    parser.add_argument("--rows", type=int, default=1_000, help="of the answer, at most (default 1000)")
    parser.add_argument("--seconds", type=float, default=60, help="after which it is ended (default 60)")
    parser.add_argument("--memory", type=int, default=1_024, help="MiB that the engine may take (default 1024)")
    parser.add_argument("--format", choices=FORMATS, default="table", help="of the answer (default table)")
    parser.add_argument("--output", type=Path, help="a file to write (default: the terminal)")
    asked = parser.parse_args(arguments)
    try:
        question = Question(
            sql=asked.sql,
            at=asked.at,
            snapshot=asked.snapshot,
            limits=Limits(rows=asked.rows, seconds=asked.seconds, memory_mb=asked.memory, answer_bytes=256 << 20),
        )
        answer = DuckWarehouse(Lake.from_env()).start(question).answer()
    except FlightlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    written = write(answer.rows, asked.format)
    if asked.output:
        asked.output.write_bytes(written)
    else:
        sys.stdout.buffer.write(written)
    more = ", more were cut off (--rows)" if answer.cut else ""
    print(f"{answer.rows.num_rows:,} rows in {answer.seconds:.2f} s{more}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
