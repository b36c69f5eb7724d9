import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.spec import document
from include.foundation.spec.document import DEEPEST, LARGEST, read

TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_json_is_yaml_1_2_and_read_as_its_own_values(value):
    assert read(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e2", 100.0), ("5e-2", 0.05), ("-1.5E3", -1500.0), ("1e", "1e"), ("e2", "e2"), ("'1e2'", "1e2")],
)
def test_numbers_are_those_of_yaml_1_2(text, value):
    assert read(text) == value
    assert type(read(text)) is type(value)


def test_an_empty_document_has_no_value():
    assert read("") is None
    assert read("# nothing yet\n") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "^a: stands twice"),
        ("a:\n  - b: 1\n    b: 2", r"^a\.0\.b: stands twice"),
        ("a:\n  1: x", r"^a\.1: a name must be a text; quote it"),
        ("a:\n  yes: x", r"^a\.True: a name must be a text"),
        ("a: &x 1\nb: *x", "^line 2: an alias"),
        ("a: !!python/name:os.system x", r"^a: 'x' is not a value"),
        ("a: !!set {x}", "^a: a tag"),
        ("a: 2024-13-45", "^a: '2024-13-45' is not a value"),
        ("a: [1", "^not YAML"),
        ("a: 1\n--- \nb: 2", "^not YAML"),
        ("a: \x00", "^not YAML"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), f"^line 1: more than {DEEPEST} levels"),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_field_or_line(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_a_depth_that_is_allowed_is_read():
    value = read("[" * DEEPEST + "]" * DEEPEST)
    for _ in range(DEEPEST - 1):
        (value,) = value
    assert value == []


def test_aliases_cannot_make_a_small_file_large():
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(ValueError, match="alias"):
        read(bomb)


def test_a_large_file_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.delattr(document.yaml, "parse")
    with pytest.raises(ValueError, match=f"at most {LARGEST // 1024} KiB"):
        read("#" * (LARGEST + 1))


def test_a_message_does_not_repeat_a_long_name():
    with pytest.raises(ValueError, match="stands twice") as told:
        read(f"{'k' * 1000}: 1\n{'k' * 1000}: 2")
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "a: !!int " + "x" * 5000,
        "a: !!float " + "x" * 5000,
        f"a: !{'t' * 5000} x",
        f"a: !{'t' * 5000}!b x",
        f"a: {'[' * 3}'{'q' * 5000}",
        f"{'k' * 5000}: [",
        f"a: !!timestamp {'x' * 5000}",
        f"a: !!bool {'x' * 5000}",
        f"a: !!binary {'x' * 5001}",
    ],
)
def test_a_message_does_not_repeat_a_long_value(text):
    with pytest.raises(ValueError, match=r"^(a: |not YAML: line )") as told:
        read(text)
    assert len(str(told.value)) < 400
