"""Specs are read strictly, and a mistake in one stays its own."""

import re

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec import ROOT, faults, load, load_all, module

SOUND = (ROOT / "flight_delays" / "use_case.yaml").read_text(encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """Where `one` and `two` are sound use cases."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _write(tmp_path, name, SOUND.replace("name: flight_delays\n", f"name: {name}\n"))
    return tmp_path


def _write(root, name, text):
    (root / name / "use_case.yaml").write_text(text, encoding="utf-8")


def test_sound_use_cases_are_all_loaded(root):
    assert [spec.name for spec in load_all(root)] == ["one", "two"]
    assert faults(root) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda text: text.replace("sources:", "source:"),
            r"one/use_case.yaml: sources: Field required; source: Extra",
        ),
        (lambda text: text.replace("  trials:", "  trails: 4\n  trials:"), r"training.trails: Extra inputs are not"),
        (lambda text: text.replace("name: one\n", "name: ones\n"), r"name is 'ones', but the folder is 'one'"),
        (lambda text: text + "gates: [\n", r"one/use_case.yaml is not YAML: "),
        (lambda _: "", r"one/use_case.yaml: Input should be a valid dictionary"),
    ],
)
def test_a_mistake_is_named_and_does_not_touch_the_others(root, wrong, message):
    _write(root, "one", wrong((root / "one" / "use_case.yaml").read_text(encoding="utf-8")))
    with pytest.raises(InvalidInput, match=message):
        load("one", root)
    assert [spec.name for spec in load_all(root)] == ["two"]
    assert list(faults(root)) == ["one"]
    assert re.search(message, faults(root)["one"], re.DOTALL)


def test_a_use_case_that_is_not_there_is_told_from_those_that_are(root):
    with pytest.raises(InvalidInput, match=r"no use case 'three' in .*; there are: one, two"):
        load("three", root)


@pytest.mark.parametrize("name", ["flight_delays", "not_there"])
def test_a_module_that_is_not_there_is_named(name):
    with pytest.raises(InvalidInput, match=f"use case '{name}' has no weather.py"):
        module(name, "weather")
