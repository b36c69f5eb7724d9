"""Rows as text."""

from datetime import date, timedelta

import polars as pl
import pytest

from include.catalog import sample
from include.foundation.echo import quoted
from include.foundation.errors import MissingInput
from include.foundation.lake.commit import replace_days

D = [date(2013, 1, 1), date(2013, 1, 2)]


def test_the_newest_day_is_shown_and_what_is_hidden_is_masked(folder_lake):
    rows = pl.DataFrame({"event_date": D, "email": ["a@x", "b@x"], "note": ["n" * 500, None]})
    replace_days(folder_lake, "silver.t", rows, D, {"run_key": "1"})
    names, values = sample.newest(folder_lake, "silver.t", rows=5, hidden={"email"})
    assert names == ["event_date", "email", "note"]
    assert values == [["2013-01-02", sample.MASK, ""]]
    with pytest.raises(MissingInput):
        sample.newest(folder_lake, "silver.none", rows=5)


def test_reasons_are_counted_without_their_values(folder_lake):
    reasons = [["email: matches(x): 'a@x'", "a: missing"], ["email: matches(x): 'b@x'"]]
    rows = pl.DataFrame({"event_date": D, "email": ["a@x", "b@x"], "reasons": reasons})
    replace_days(folder_lake, "quarantine.t", rows, D, {"run_key": "1"})
    counts, (names, values) = sample.quarantined(folder_lake, "quarantine.t", rows=5, hidden={"email"})
    assert counts == {"email: matches(x)": 2, "a: missing": 1}
    assert names[0] == "reasons"
    assert "a@x" not in str(values)
    _, (_, open_values) = sample.quarantined(folder_lake, "quarantine.t", rows=5)
    assert "a@x" in str(open_values)
    assert len(sample.texts(pl.DataFrame({"a": ["x" * 999]}))[1][0][0]) < 200


def test_a_list_of_texts_is_told_in_words():
    frame = pl.DataFrame({"reasons": [["a: missing", "repeats an earlier row"]], "numbers": [[1, 2]], "none": [[]]})
    assert sample.texts(frame)[1] == [["a: missing; repeats an earlier row", "[1, 2]", "[]"]]


@pytest.mark.parametrize(
    "value", ["Jane: 555-1234", "it's: 'x'", 'both \' and ": "', "a: b: c\n: d", "", "x" * 500, ": '", "\\", 12, None]
)
@pytest.mark.parametrize("rule", ["note: str_matches('^a: ')", 'note: isin(["a: \'b"])', "note: missing"])
def test_a_value_is_taken_off_whatever_it_holds(rule, value):
    assert sample.without_value(f"{rule}: {quoted(value)}") == rule


def test_what_names_no_value_stays_and_what_a_derivation_says_goes():
    for reason in ("a: missing", "repeats an earlier row", "unique (a, b)"):
        assert sample.without_value(reason) == reason
    derived = "age: cannot be derived (ValueError: 'Jane: 5' is no number)"
    assert sample.without_value(derived) == "age: cannot be derived"


def test_few_rows_are_read_of_many(folder_lake, monkeypatch):
    days = [date(2013, 1, 1) + timedelta(days=n) for n in range(30)]
    rows = pl.DataFrame({"event_date": days * 100, "email": ["a@x"] * 3000, "reasons": [["email: no: 'a@x'"]] * 3000})
    replace_days(folder_lake, "quarantine.t", rows, days, {"run_key": "1"})
    read, most = sample.tables.read, []

    def counted(*words, **options):
        frame = read(*words, **options)
        most.append(frame.height * frame.width)
        return frame

    monkeypatch.setattr(sample.tables, "read", counted)
    monkeypatch.setattr("include.foundation.lake.chunks.ROWS", 500)
    counts, (_, shown) = sample.quarantined(folder_lake, "quarantine.t", rows=120)
    assert counts == {"email: no": 3000}
    assert [row[1] for row in shown] == ["2013-01-30"] * 100 + ["2013-01-29"] * 20
    assert max(most) == 500, "reasons of some days; the rows that are shown are fewer"
    assert len(sample.newest(folder_lake, "quarantine.t", rows=5)[1]) == 5
