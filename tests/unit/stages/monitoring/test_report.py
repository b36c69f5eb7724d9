from datetime import date

import polars as pl

from include.stages.monitoring.live import Live
from include.stages.monitoring.observation import Observation
from include.stages.monitoring.policy import Decision
from include.stages.monitoring.profile import Limit, Profile
from include.stages.monitoring.reference import Reference
from include.stages.monitoring.report import markdown, rows_of
from include.stages.monitoring.skew import Skew

LIMIT = Limit(profile=Profile.of(pl.Series("x", [1.0, 2.0])), limit=0.1)
REFERENCE = Reference(
    until=date(2026, 1, 1),
    features=dict.fromkeys("abcdefgh", LIMIT),
    answers=LIMIT,
    metric="auc",
    value=0.8,
    spread=0.05,
)


def seen(day: int, *, value: float | None = 0.7, drifted: tuple[str, ...] = ()) -> Observation:
    return Observation(
        start=date(2026, 2, day), end=date(2026, 2, day), rows=1200, labelled=1000 if value else 0, value=value,
        drifted=drifted, answers=0.25, signals=("performance", "features") if drifted else (),
    )  # fmt: skip


def test_the_report_says_the_decision_and_a_line_a_window_the_newest_first() -> None:
    text = markdown(
        "taxi version 3",
        REFERENCE,
        [seen(1, value=None), seen(2, drifted=tuple("abcdefg"))],
        Decision(train=True, reason="features in 2 of the last 3 windows"),
    )
    assert text.splitlines()[0] == "# taxi version 3: train again"
    assert "features in 2 of the last 3 windows." in text
    assert "Ordinary: auc 0.8000 give or take 0.0500" in text
    newest, oldest = text.strip().splitlines()[-2:]
    assert newest == (
        "| 2026-02-02 to 2026-02-02 | 1,200 | 1,000 | 0.7000 | 0.250 | 7 of 8: a, b, c, d, e, ... "
        "| performance, features |"
    )
    assert oldest == "| 2026-02-01 to 2026-02-01 | 1,200 | 0 | - | 0.250 | 0 of 8 | - |"


def test_a_row_a_window_keeps_what_is_absent_absent() -> None:
    rows = rows_of("3", REFERENCE, [seen(1, value=None), seen(2)])
    assert rows["event_date"].to_list() == [date(2026, 2, 1), date(2026, 2, 2)]
    assert rows["value"].to_list() == [None, 0.7]
    assert rows.schema["drifted"] == pl.List(pl.String)
    assert rows["version"].unique().to_list() == ["3"]


def test_what_was_really_answered_and_its_skew_are_told() -> None:
    skewed = seen(2).model_copy(update={"skew": Skew(rows=40, shares={"past": 0.25})})
    live = Live(
        start=date(2026, 2, 2), end=date(2026, 2, 2), version="3", stage="production", rows=40, labelled=10, value=0.75
    )
    text = markdown("taxi version 3", REFERENCE, [seen(1), skewed], Decision(train=False, reason="ordinary"), [live])
    assert "| 2026-02-02 to 2026-02-02 | 3 | production | 40 | 25.0% | 0.7500 |" in text
    assert "2026-02-02 to 2026-02-02: of 40 answers, served features differ from the lake's: past in 25.00%." in text
    assert text.count("served features") == 1
    kept = rows_of("3", REFERENCE, [seen(1), skewed])
    assert kept["skew_rows"].to_list() == [0, 40]
    assert kept["skewed"].to_list() == [[], ["past"]]
    assert kept["skewed_shares"].to_list() == [[], [0.25]]
