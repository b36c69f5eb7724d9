"""Which values of a day are new, against a plain count of all of them; and what is said of it."""

import json
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.foundation.spec.quality import Daily, Levels
from include.stages.quality import values as module
from include.stages.quality.values import Values, compare_values

TODAY = date(2013, 2, 1)
LIMITS = Daily(weeks=1, min_days=2)
LEVELS = Levels(warn=0.1, stop=0.5)


def rows(day, *texts, dtype=pl.String):
    return pl.DataFrame({"dest": texts, "event_date": [day] * len(texts)}, {"dest": dtype, "event_date": pl.Date})


def counted(*frames):
    found = Values("dest", weeks=LIMITS.weeks)
    for frame in frames:
        found.add(frame)
    return found


def told(run, before=None, days=(TODAY,)):
    found = compare_values({"dest": run}, {"dest": before or counted()}, {"dest": LEVELS}, limits=LIMITS, days={*days})
    return [(str(each), each.stop) for each in found]


BEFORE = [rows(TODAY - timedelta(days=n), "IAH", "MIA", None) for n in (2, 1)]


@pytest.mark.parametrize(
    ("texts", "said", "stop"),
    [
        (["IAH"] * 10, None, None),
        (["IAH"] * 9 + ["BQN"], None, None),
        (["IAH"] * 8 + ["BQN", None], None, None),
        (["IAH"] * 7 + ["BQN", "ALB", "BQN"], ("30.0%", "'BQN', 'ALB'"), False),
        (["IAH"] * 5 + ["BQN"] * 5, ("50.0%", "'BQN'"), False),
        (["IAH"] + [f"X{n}" for n in range(9)], ("90.0%", "'X0', 'X1', 'X2', 'X3', 'X4' and 4 more"), True),
        (["y" * 5000] * 2, ("100.0%", f"'{'y' * 30}'... (5,000 characters)"), True),
    ],
)
def test_new_values_are_told_with_their_share_and_examples(texts, said, stop):
    text = "2013-02-01: dest: {} of the rows have a value that the 1 weeks before do not have: {}"
    found = told(counted(rows(TODAY, *texts)), counted(*BEFORE))
    assert found == ([(text.format(*said), stop)] if said else [])


def test_values_that_are_not_for_everybody_are_counted_and_not_told():
    run, levels = counted(rows(TODAY, "secret")), {"dest": LEVELS}
    (found,) = compare_values(
        {"dest": run}, {"dest": counted(*BEFORE)}, levels, limits=LIMITS, days={TODAY}, hidden={"dest"}
    )
    assert str(found).endswith("100.0% of the rows have a value that the 1 weeks before do not have")


def test_days_count_that_have_a_value_within_reach():
    new = counted(rows(TODAY, "BQN"))
    assert told(new, counted(*BEFORE))
    assert not told(new, counted(BEFORE[0]))
    assert not told(new, counted(BEFORE[0], rows(TODAY - timedelta(days=1), None)))  # a column that is new itself
    assert not told(new, counted(rows(TODAY - timedelta(days=8), "IAH"), BEFORE[0]))
    assert not told(new, counted(*BEFORE), days=[TODAY + timedelta(days=1)])


@pytest.mark.parametrize(("days", "new"), [(7, False), (8, True)])
def test_a_value_is_new_again_after_weeks(days, new):
    again = counted(rows(TODAY - timedelta(days=days), "BQN"), *BEFORE)
    assert bool(told(counted(rows(TODAY, "BQN")), again)) is new


def test_days_of_the_run_are_before_its_later_days():
    run = counted(*BEFORE, rows(TODAY, "BQN"), rows(TODAY + timedelta(days=1), "BQN", "ALB"))
    found = told(run, days=[TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=1)])
    assert [(text[:10], text.rpartition(": ")[2]) for text, _ in found] == [
        ("2013-02-01", "'BQN'"),
        ("2013-02-02", "'ALB'"),
    ]


def test_whole_numbers_are_told_by_their_digits_whatever_their_width():
    before = counted(*(rows(TODAY - timedelta(days=n), 7, 8, dtype=pl.Int32) for n in (2, 1)))
    assert told(counted(rows(TODAY, 7, 8, dtype=pl.UInt16)), before) == []
    ((text, _),) = told(counted(rows(TODAY, 7, 9, dtype=pl.UInt16)), before)
    assert text.endswith(": '9'")


def test_a_column_of_too_many_values_is_named_and_costs_nothing_more(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3 * (module.ENTRY + 3))
    three, four = ([f"A{n:02}" for n in range(most)] for most in (3, 4))
    assert not counted(rows(TODAY, *three), rows(TODAY, *three)).too_many
    little_by_little = counted(rows(TODAY, *three))
    assert little_by_little.entries().height == 3
    little_by_little.add(rows(TODAY, four[3]))
    assert little_by_little.note()["too_many"]
    over = counted(rows(TODAY, *four))
    assert over.entries().is_empty()
    assert over.too_many
    over.add(rows(TODAY, "A00"))
    taken = counted(rows(TODAY - timedelta(days=1), *three))
    taken.take(json.loads(json.dumps(over.note())))
    for run, before in (
        (over, counted()),
        (counted(rows(TODAY, "A00")), over),
        (taken, counted()),
        (little_by_little, counted()),
    ):
        ((text, stop),) = told(run, before)
        assert text.startswith("2013-02-01: dest: more than 0 MB of different values: take it out of `new_values`")
        assert stop


def test_nothing_is_left_after_a_clear():
    found = counted(*BEFORE)
    found.clear()
    assert found.note() == counted().note()


ROW = st.tuples(st.integers(0, 40), st.sampled_from(["A", "B", "C", None]))


@given(
    landed=st.lists(ROW, max_size=40),
    cuts=st.sets(st.integers(1, 40), max_size=4),
    size=st.integers(1, 7),
    first=st.integers(0, 40),
    often=st.booleans(),
)
def test_parts_of_the_days_say_what_a_plain_count_says(landed, cuts, size, first, often):
    """Whatever days a part has, however its rows come in frames, and however often entries are put together."""
    landed.sort(key=lambda row: row[0])

    def part(start, end):
        found, some = counted(), [row for row in landed if start <= row[0] < end]
        for at in range(0, len(some), size):
            frame = pl.DataFrame(some[at : at + size], {"number": pl.Int64, "dest": pl.String}, orient="row")
            found.add(frame.select("dest", event_date=pl.lit(TODAY) + pl.duration(days="number")))
            if often:
                found.entries()
        return found

    run, edges = counted(), sorted({first, *(cut for cut in cuts if cut > first), 41})
    for start, end in pairwise(edges):
        run.take(json.loads(json.dumps(part(start, end).note())))
    found = run.entries(part(0, first)).filter(~pl.col("known"), pl.col("day") >= TODAY + timedelta(days=first))

    there = {(value, number) for number, value in landed if value}
    assert {(value, day): count for value, day, count, _ in found.iter_rows()} == {
        (value, TODAY + timedelta(days=number)): landed.count((number, value))
        for value, number in there
        if number >= first and not any((value, number - n) in there for n in range(1, 8))
    }
    days = sorted({number for number, _ in landed if number >= first})
    assert run.rows == {TODAY + timedelta(days=n): sum(number == n for number, _ in landed) for n in days}
