import pytest
from pydantic import ValidationError

from include.foundation.spec.sources import Source

SOUND = {"name": "flights", "contract": "Flights"}


@pytest.mark.parametrize(
    ("change", "suffix"),
    [
        ({}, ".csv"),
        ({"compression": "gzip"}, ".csv.gz"),
        ({"format": {"type": "jsonl"}}, ".jsonl"),
        ({"format": {"type": "parquet"}}, ".parquet"),
    ],
)
def test_files_end_as_their_format_does(change, suffix):
    assert Source(**SOUND, **change).suffix == suffix


def test_a_quote_may_be_a_character_like_any_other():
    assert Source(**SOUND, format={"type": "csv", "quote": None}).format.quote is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": {"type": "csv", "delimiter": '"'}}, "delimiter and quote are both '\"'"),
        ({"format": {"type": "csv", "delimiter": ";;"}}, "delimiter"),
        ({"format": {"type": "csv", "delimiter": "\n"}}, "delimiter"),
        ({"format": {"type": "xml"}}, "'csv', 'jsonl', 'parquet'"),
        ({"format": {"type": "jsonl", "delimiter": ";"}}, "delimiter\n.*Extra inputs"),
        ({"columns": {"dep": "sched_dep", "Dep": "sched_dep"}}, "columns: two landed names for sched_dep"),
        ({"every": "week"}, "every"),
        ({"kind": "topic"}, "kind"),
        ({"contract": None}, "contract"),
        ({"max_row_bytes": 1023}, "max_row_bytes"),
        ({"max_row_bytes": (64 << 20) + 1}, "max_row_bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Source(**{**SOUND, **change})


def test_unknown_columns_are_refused_unless_the_spec_says_otherwise():
    assert Source(**SOUND).unknown_columns == "refuse"
