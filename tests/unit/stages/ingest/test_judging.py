from collections.abc import Iterator
from datetime import date, timedelta

import pandera.polars as pa
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from include.foundation.spec.sources import Source
from include.stages.ingest.judging import judge_all
from include.stages.quality import Contract, Verdict, judge

SOURCE = Source(name="s", contract="S")
DAY = date(2013, 1, 1)


class Sales(pa.DataFrameModel):
    number: int = pa.Field(ge=0)
    amount: int
    event_date: date

    class Config:
        unique = ("event_date", "number")


CONTRACT = Contract.of(Sales)


def judged(rows: pl.DataFrame, cuts: list[int]) -> tuple[list[object], list[object]]:
    passed: list[pl.DataFrame] = []
    failed: list[pl.DataFrame] = []
    ends = [*sorted({cut for cut in cuts if cut < len(rows)} - {0}), len(rows)]

    def read() -> Iterator[pl.DataFrame]:
        yield from (rows[begin:end] for begin, end in zip([0, *ends], ends, strict=False))

    def begin() -> None:
        passed.clear()
        failed.clear()

    def take(_: pl.DataFrame, verdict: Verdict) -> None:
        passed.append(verdict.passed)
        failed.append(verdict.failed)

    judge_all(CONTRACT, SOURCE, read, begin=begin, take=take)
    return pl.concat(passed).rows(), pl.concat(failed).rows()


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 3), st.integers(0, 1)), min_size=1, max_size=12),
    st.lists(st.integers(0, 12), max_size=5),
)
def test_frames_have_the_verdict_that_they_have_together(values: list[tuple[int, int, int]], cuts: list[int]) -> None:
    rows = pl.DataFrame(
        {
            "number": [str(number) for _, number, _ in sorted(values, key=lambda row: row[0])],
            "amount": [str(amount) for _, _, amount in sorted(values, key=lambda row: row[0])],
            "event_date": [DAY + timedelta(days=day) for day, _, _ in sorted(values)],
            "source_uri": "f",
            "source_position": range(len(values)),
        }
    )
    whole = judge(CONTRACT, rows, null_values=SOURCE.null_values)
    assert judged(rows, cuts) == (whole.passed.rows(), whole.failed.rows())
