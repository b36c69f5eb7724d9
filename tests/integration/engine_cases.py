"""The shared contract of all engines, as a program of the environment that has the engine: `engine_cases.py <engine>`.

It prints what became of each case as JSON: null, or what went wrong.
"""

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from include.engine import ENGINES, Output, engine
from include.foundation.errors import FlightlineError, InvalidInput, LeakFound
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import replace_days
from include.foundation.lake.commit_log import find_commit

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(9)]
SCHEMA = pl.Schema(
    {
        "event_date": pl.Date(),
        "number": pl.Int64(),
        "small": pl.UInt16(),
        "real": pl.Float32(),
        "flag": pl.Boolean(),
        "text": pl.String(),
        "moment": pl.Datetime("us", "UTC"),
        "clock": pl.Datetime("us"),
        "words": pl.List(pl.String),
    }
)


def rows(day: date, first: int, count: int = 3) -> pl.DataFrame:
    """Rows whose order and values tell where they came from; some are null."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    made = [
        (day, n, n % 7, n / 4, n % 2 == 0, f"ä{n}" if n % 3 else None, at, at.replace(tzinfo=None), ["a", f"b{n}"])
        for n in range(first, first + count)
    ]
    return pl.DataFrame(made, SCHEMA, orient="row")


@dataclass(frozen=True)
class Toy:
    """Work: some rows a day, in two pieces, to `odd` as well on odd days."""

    also: frozenset[str] = field(default_factory=frozenset)

    def __call__(self, lake: Lake, days: list[date], sink: object) -> dict[str, object]:
        if "withdraws" in self.also:
            sink.write("all", rows(days[0], 900))
            sink.clear()
        for day in days:
            if "leaks" in self.also and day == D[4]:
                raise LeakFound(f"{day} leaks")
            if day == D[5]:  # a day without rows
                continue
            sink.write("all", rows(day, 10 * day.day))
            sink.write("all", rows(day, 10 * day.day + 3))
            if day.day % 2:
                sink.write("odd", rows(day, day.day, 1))
        if "strays" in self.also:
            sink.write("all", rows(D[-1] + timedelta(days=1), 0))
        return {"days": [day.isoformat() for day in days]}


def expected(days: list[date]) -> pl.DataFrame:
    return pl.concat([rows(day, 10 * day.day, 6) for day in days if day != D[5]])


class Case:
    """Tables of one case."""

    def __init__(self, lake: Lake, name: str, prefix: str) -> None:
        self.lake, self.engine = lake, engine(name)
        self.table = {output: f"toys.{prefix}__{output}" for output in ("all", "odd")}

    def stage(self, work: Toy, days: list[date] = D) -> object:
        change = Replace(frozenset(days))
        outputs = {
            name: Output(table=table, schema=lambda: SCHEMA, change=change) for name, table in self.table.items()
        }
        return self.engine.stage(self.lake, work, days, outputs)

    def read(self, output: str = "all") -> pl.DataFrame:
        return tables.read(self.lake, self.table[output])

    def snapshots(self, output: str = "all") -> int:
        return len(tables.load(self.lake, self.table[output]).snapshots())


def rows_are_there_in_order_and_the_commit_says_whose_they_are(case: Case) -> None:
    staged = case.stage(Toy())
    assert case.snapshots() == 0
    snapshot = {name: staged.commit(name, {"run_key": "k", "said": 'a "b"'}) for name in case.table}
    staged.discard()
    assert case.read().schema["small"] == pl.Int32  # as Iceberg holds it
    assert_frame_equal(case.read(), expected(D).with_columns(pl.col("small").cast(pl.Int32)))
    assert case.read("odd")["number"].to_list() == [1, 3, 5, 7, 9]
    assert sorted(day for note in staged.notes for day in note["days"]) == [str(day) for day in D]
    assert [note["days"][0] for note in staged.notes] == sorted(note["days"][0] for note in staged.notes)
    for name, table in case.table.items():
        assert find_commit(case.lake, table, "k") == snapshot[name]
        said = tables.snapshot_summary(case.lake, table, snapshot[name])
        assert (said["said"], said["days"]) == ('a "b"', "2013-01-01..2013-01-09")
        assert said["total-records"] == str(len(case.read(name)))


def exactly_the_days_are_replaced_and_other_rows_stay(case: Case) -> None:
    replace_days(case.lake, case.table["all"], rows(D[8], 5), D[8:], {})
    replace_days(case.lake, case.table["all"], pl.concat([rows(D[5], 7), rows(D[0], 7)]), [D[5], D[0]], {})
    staged = case.stage(Toy(), [D[0], D[5], D[6]])
    replace_days(case.lake, case.table["all"], rows(D[3], 1), [D[3]], {})  # another writer, meanwhile
    staged.commit("all", {"run_key": "k"})
    kept = pl.concat([expected([D[0]]), rows(D[3], 1), expected([D[6]]), rows(D[8], 5)])
    assert case.read()["number"].to_list() == kept["number"].to_list()


def rows_that_are_taken_back_are_not_there(case: Case) -> None:
    case.stage(Toy(frozenset({"withdraws"}))).commit("all", {})
    assert case.read()["number"].to_list() == expected(D)["number"].to_list()


def a_commit_without_rows_is_a_commit(case: Case) -> None:
    case.stage(Toy(), [D[1]]).commit("odd", {"run_key": "k"})
    assert find_commit(case.lake, case.table["odd"], "k") is not None
    assert case.read("odd").is_empty()


def what_is_discarded_is_nowhere(case: Case) -> None:
    case.stage(Toy()).discard()
    assert case.snapshots() == 0


def a_fault_of_the_work_keeps_its_name_and_stages_nothing(case: Case) -> None:
    fails(LeakFound, "2013-01-05 leaks", lambda: case.stage(Toy(frozenset({"leaks"}))))
    assert case.snapshots() == 0


def rows_of_strange_days_are_refused(case: Case) -> None:
    fails(InvalidInput, "2013-01-10", lambda: case.stage(Toy(frozenset({"strays"}))))


def fails(kind: type[FlightlineError], text: str, act: Callable[[], object]) -> None:
    try:
        act()
    except FlightlineError as error:
        raised: FlightlineError | None = error
    else:
        raised = None
    assert type(raised) is kind, repr(raised)
    assert text in str(raised)


CASES = (
    rows_are_there_in_order_and_the_commit_says_whose_they_are,
    exactly_the_days_are_replaced_and_other_rows_stay,
    rows_that_are_taken_back_are_not_there,
    a_commit_without_rows_is_a_commit,
    what_is_discarded_is_nowhere,
    a_fault_of_the_work_keeps_its_name_and_stages_nothing,
    rows_of_strange_days_are_refused,
)


def main(name: str) -> None:
    assert name in ENGINES
    found: dict[str, str | None] = {}
    for number, case in enumerate(CASES):
        try:
            case(Case(Lake.from_env(), name, f"{name}{number}"))
        except Exception:
            found[case.__name__] = traceback.format_exc()[-4000:]
        else:
            found[case.__name__] = None
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
