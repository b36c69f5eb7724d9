import pytest

from include.foundation.http.refusal import Refusal, json_path


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ((), ""),
        (("records", 2, "origin"), "records[2].origin"),
        (("", "no word", "a"), "['']['no word'].a"),
        ((0,), "[0]"),
    ],
)
def test_json_path(location: tuple[str | int, ...], path: str) -> None:
    assert json_path(location) == path


def test_at_and_busy() -> None:
    refusal = Refusal.at(422, "origin", "must be a string")
    assert (refusal.message, refusal.fields[0].path) == ("origin: must be a string", "origin")
    assert Refusal.busy("later", after_seconds=3).headers == {"retry-after": "3"}
