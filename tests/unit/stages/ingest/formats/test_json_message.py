import pytest

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats import Columns
from include.stages.ingest.formats.json_message import JsonMessage


def test_a_number_keeps_its_digits_and_what_is_absent_has_no_value():
    rows = JsonMessage(Columns(["a", "b", "c"]), nested=False)
    assert rows.row(b'{"b": 1.10, "a": false}') == ["false", "1.10", None]


def test_what_is_no_text_is_said():
    with pytest.raises(InvalidInput, match="message: not valid UTF-8"):
        JsonMessage(Columns(["a"]), nested=False).row(b"\xff")
