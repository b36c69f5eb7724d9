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
        (lambda text: text + "gates: [\n", r"one/use_case.yaml: not YAML: "),
        (
            lambda text: text.replace("start: 2013-01-01", "start: 2011-13-01"),
            r"one/use_case.yaml: schedule.start: '20",
        ),
        (
            lambda text: text.replace("floor: 0.66", "floor: !!float abc"),
            r"one/use_case.yaml: gates.floor: 'abc' is not",
        ),
        (lambda text: text.replace("floor: 0.66", "floor: .nan"), r"gates.floor: Input should be a finite number"),
        (lambda text: text.replace("floor: 0.66", "floor: {2013-01-01: 1}"), r"gates.floor.2013-01-01: a name must be"),
        (lambda text: text + "training: {}\n", r"one/use_case.yaml: training: stands twice"),
        (lambda text: text.replace("seed: 2013", "seed: 1\n  seed: 2"), r"training.seed: stands twice"),
        (lambda text: text + "deep: " + "[" * 5000 + "]" * 5000, r"line \d+: more than 20 levels"),
        (lambda text: text + f"owner: &me {'x' * 50}\nme: *me\n", r"line \d+: an alias"),
        (lambda text: text + "more: !!set {a, b}\n", r"more: a tag"),
        (lambda text: text + "# " + "x" * 300_000, r"a spec has at most 256 KiB"),
        (
            lambda text: text.replace("2013-12-30}", "2013-12-30, more: " + "9" * 5000 + "}"),
            r"schedule.more: '9{40}' is not",
        ),
        (lambda text: text + "\n".join(f"k{n}: 1" for n in range(5000)), r"k8: Extra [^;]*; k9: [^;]*; and 4990 more"),
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


def test_what_is_not_a_readable_text_is_a_fault_of_its_own(root):
    (root / "one" / "use_case.yaml").write_bytes(b"name: \xff")
    assert "one/use_case.yaml: not valid UTF-8" in faults(root)["one"]


def test_a_number_with_an_exponent_is_a_number(root):
    _write(root, "one", (root / "one" / "use_case.yaml").read_text().replace("n_estimators: 200", "n_estimators: 1e2"))
    assert load("one", root).training.fixed == {"n_estimators": 100.0}


def test_a_use_case_that_is_not_there_is_told_from_those_that_are(root):
    with pytest.raises(InvalidInput, match=r"no use case 'three' in .*; there are: one, two"):
        load("three", root)


@pytest.mark.parametrize("name", ["flight_delays", "not_there"])
def test_a_module_that_is_not_there_is_named(name):
    with pytest.raises(InvalidInput, match=f"use case '{name}' has no weather.py"):
        module(name, "weather")
