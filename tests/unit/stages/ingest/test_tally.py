from contextlib import nullcontext

import polars as pl
import pytest

from include.foundation.errors import BudgetExceeded
from include.stages.ingest.tally import Tally
from include.stages.quality import Verdict


def verdict(passed: int, *reasons: str) -> Verdict:
    failed = pl.DataFrame(
        {
            "source_uri": ["s3://landing/f.csv"] * len(reasons),
            "source_position": range(2, 2 + len(reasons)),
            "reasons": [[reason] for reason in reasons],
        },
        schema={"source_uri": pl.String, "source_position": pl.Int64, "reasons": pl.List(pl.String)},
    )
    counts = {"a: too big": len(reasons)} if reasons else {}
    return Verdict(
        passed=pl.DataFrame({"a": range(passed)}), failed=failed, counts=counts, examples=dict.fromkeys(counts, 0)
    )


def test_the_budget_is_of_the_run_not_of_a_file() -> None:
    tally = Tally("weather")
    tally.add(verdict(50, *["a: too big: '9'"] * 10))
    tally.add(verdict(140))
    assert (tally.landed, tally.quarantined) == (200, 10)
    tally.enforce(0.05)
    with pytest.raises(BudgetExceeded):
        tally.enforce(0.049)


def test_over_budget_there_is_a_table_of_reasons_with_file_and_line() -> None:
    tally = Tally("weather")
    tally.add(verdict(1, "a: too big: '9'", "a: too big: '8'"))
    with pytest.raises(BudgetExceeded) as error:
        tally.enforce(0.5)
    assert str(error.value) == (
        "weather: 2 of 3 rows (66.7%) fail the contract, the budget is 50.0%; nothing was published\n"
        "| reason | rows | first |\n"
        "|---|---:|---|\n"
        "| a: too big | 2 | s3://landing/f.csv:2: '9' |"
    )


def test_no_rows_are_within_any_budget() -> None:
    Tally("weather").enforce(0)


def test_a_reason_that_begins_like_another_has_its_own_example() -> None:
    rows = verdict(0, "a: too big")
    failed = rows.failed.with_columns(reasons=pl.lit(["a: too big: '9'", "a: too: '7'"]))
    tally = Tally("weather")
    tally.add(Verdict(passed=rows.passed, failed=failed, counts={"a: too": 1}, examples={"a: too": 0}))
    with pytest.raises(BudgetExceeded, match=r"\| a: too \| 1 \| s3://landing/f.csv:2: '7' \|"):
        tally.enforce(0)


@pytest.mark.parametrize(
    ("bad", "rows", "budget", "within"),
    [(5, 100, 0.05, True), (29, 100, 0.29, True), (54, 3000, 0.018, True), (30, 100, 0.29, False)],
)
def test_exactly_the_budget_is_within_it(bad: int, rows: int, budget: float, within: bool) -> None:
    tally = Tally("weather")
    tally.add(verdict(rows - bad, *["a: too big: '9'"] * bad))
    with nullcontext() if within else pytest.raises(BudgetExceeded):
        tally.enforce(budget)


def test_the_table_of_reasons_is_bounded() -> None:
    rows = verdict(0, *[f"a: {number}" for number in range(1000)])
    counts = {f"a: {number}": 1 for number in range(1000)}
    tally = Tally("weather")
    tally.add(
        Verdict(
            passed=rows.passed, failed=rows.failed, counts=counts, examples={key: n for n, key in enumerate(counts)}
        )
    )
    with pytest.raises(BudgetExceeded, match="and 970 more reasons") as error:
        tally.enforce(0)
    assert len(str(error.value)) < 3000
