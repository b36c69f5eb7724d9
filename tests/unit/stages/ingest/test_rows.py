"""A file without rows: a fault, or a day on which nothing happened."""

from datetime import UTC, date, datetime

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Csv, JsonLines, Source
from include.stages.ingest.formats import Columns
from include.stages.ingest.landing import File
from include.stages.ingest.rows import parsed, schema

FILE = File(day=date(2024, 1, 1), uri="s3://landing/u/s", size=0, etag="", landed_at=datetime(2024, 1, 2, tzinfo=UTC))
COLUMNS = Columns(("a", "b"))
EMPTY = [(JsonLines(type="jsonl"), b""), (Csv(), b"a,b\n")]


@pytest.mark.parametrize(("form", "data"), EMPTY)
def test_a_file_without_rows_is_a_fault_unless_the_spec_accepts_it(form, data):
    source = Source(name="s", contract="S", format=form)
    with pytest.raises(InvalidInput, match=r"s3://landing/u/s: .*say `empty_files: accept` of s in the spec"):
        [*parsed(iter([data]), source, FILE, COLUMNS)]
    accepting = source.model_copy(update={"empty_files": "accept"})
    (frame,) = parsed(iter([data]), accepting, FILE, COLUMNS)
    assert (frame.height, frame.schema) == (0, schema(COLUMNS.names))


def test_an_empty_csv_file_lacks_its_header_whatever_the_spec_says():
    source = Source(name="s", contract="S", empty_files="accept")
    with pytest.raises(InvalidInput, match="even without rows it has a header"):
        [*parsed(iter([b""]), source, FILE, COLUMNS)]


def test_a_spec_that_does_not_say_it_keeps_its_digest():
    source = Source(name="s", contract="S")
    assert "empty_files" not in source.model_dump(mode="json")
    assert source.model_copy(update={"empty_files": "accept"}).model_dump()["empty_files"] == "accept"
