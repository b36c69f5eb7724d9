import re

import pytest

from include.foundation.evidence.code import ROOT
from include.stages.export import timing


class Machine:
    """A clock on which each file takes what it is said to, and a neighbour comes now and then."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.calls, self.asked = 0.0, 0, []
        monkeypatch.setattr(timing, "open_model", self.open)
        self.seconds = seconds

    def work(self, name, seconds):
        self.calls += 1
        self.asked.append(name)
        self.now += seconds + (1.0 if self.calls % 10 == 3 else 0.0)

    def open(self, data):
        name = data.decode()
        self.work(name, 0.5)
        machine = self

        class Scorer:
            def score(self, rows):
                machine.work(name, machine.seconds[name] * len(rows))

        return Scorer()


def test_a_neighbour_does_not_decide(monkeypatch, sealed):
    rows = sealed("boosting")[1][:17]
    machine = Machine(monkeypatch, {"slow": 0.002, "fast": 0.001})
    found = timing.measure({"slow": b"slow", "fast": b"fast"}, rows, clock=lambda: machine.now)
    assert found["slow"].p50_us == pytest.approx(2000)
    assert found["fast"].p99_us == pytest.approx(1000)
    assert found["fast"].rows_per_second == pytest.approx(1000)
    assert found["slow"].open_ms == pytest.approx(500)


def test_files_take_turns(monkeypatch, sealed):
    rows = sealed("boosting")[1][:2]
    machine = Machine(monkeypatch, {"a": 0.001, "b": 0.001})
    timing.measure({"a": b"a", "b": b"b"}, rows, clock=lambda: machine.now)
    assert machine.asked == ["a", "b"] + (["a"] * 4 + ["b"] * 4) * timing.ROUNDS


def test_real_files_are_timed(sealed):
    data, rows = sealed("boosting")
    found = timing.measure({"float32": data}, rows[:20])["float32"]
    assert 0 < found.p50_us <= found.p99_us
    assert found.rows_per_second > 1e6 / found.p99_us, "a batch takes less than its rows one by one"
    assert found.open_ms > 0


def test_what_is_measured_in_training_is_what_serves():
    locks = [(ROOT / "requirements" / f"{name}.txt").read_text() for name in ("trainer", "torch", "serving")]
    versions = {re.search(r"^onnxruntime==(\S+)", lock, re.MULTILINE).group(1) for lock in locks}
    assert len(versions) == 1, versions
