"""Rows as text."""

from datetime import date

import polars as pl
import pytest

from include.catalog import sample
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
