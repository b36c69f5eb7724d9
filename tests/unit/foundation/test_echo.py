import pytest

from include.foundation.echo import cause, listing, quoted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a'b", '"a\'b"'),
        ("a" * 80, f"'{'a' * 80}'"),
        ("a" * 1_000_000, f"'{'a' * 80}'... (1,000,000 characters)"),
        (3, "3"),
        (["x"] * 1000, f"{repr(['x'] * 1000)[:80]}... (5,000 characters)"),
    ],
)
def test_a_value_is_shown_up_to_a_line(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_list_is_shown_up_to_some_items_of_bounded_length() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing([*"abcdefg"]) == "a, b, c, d, e and 2 more"
    assert listing([*"abc"], 1, separator="; ") == "a; and 2 more"
    assert len(listing(["x" * 1_000_000] * 1_000_000)) < 500


def test_a_cause_is_one_line() -> None:
    assert cause(ValueError("first\n  second")) == "first second"
    assert cause(ValueError()) == "ValueError"
    assert len(cause(ValueError("x" * 10_000))) < 310
