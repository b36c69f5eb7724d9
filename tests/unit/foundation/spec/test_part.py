import pytest
from pydantic import TypeAdapter, ValidationError

from include.foundation.spec.part import Fraction, Line, Name, Part, distinct


class Some(Part):
    rate: float = 1.0


def test_a_misspelt_key_is_refused_by_name():
    with pytest.raises(ValidationError, match=r"ratio\n.*Extra inputs are not permitted"):
        Some(ratio=2)


def test_a_part_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Some().rate = 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_not_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        Some(rate=value)


@pytest.mark.parametrize("name", ["a", "flight_delays", "a1_2", "a" * 63])
def test_a_name_is_lower_case_words(name):
    assert TypeAdapter(Name).validate_python(name) == name


# The last ones: a table's name has `__` between its parts, and `-` in a DNS name stands for `_`.
@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a b", "a-b", "a.b", "a\n", "ä", "a" * 64, "a__b", "a_"])
def test_what_makes_no_name_of_a_table_or_a_namespace_is_refused(name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("line", ["", "a\nb", "a\n", "a\x00", "{{ var.value.secret }}", "x" * 201])
def test_a_line_is_one_and_no_template(line):
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(line)


def test_a_line_is_in_any_language():
    assert TypeAdapter(Line).validate_python("Verspätungen — 遅延") == "Verspätungen — 遅延"


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_a_fraction_is_from_0_to_1(value):
    with pytest.raises(ValidationError):
        TypeAdapter(Fraction).validate_python(value)


def test_names_that_come_twice_are_told_once_and_sorted():
    distinct("stages", ["b", "a"])
    with pytest.raises(ValueError, match=r"^stages: a, b twice$"):
        distinct("stages", ["b", "a", "b", "a", "b", "c"])
