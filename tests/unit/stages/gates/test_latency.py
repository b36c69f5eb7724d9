import time

import numpy as np
import pytest

from include.stages.gates.latency import Timing, time_answers


class Machine:
    """A clock on the wall and one of the CPU. `busy` says how many seconds of wall a second of CPU takes."""

    def __init__(self):
        self.now = self.used = 0.0
        self.busy = 1.0

    def work(self, seconds):
        self.used += seconds
        self.now += seconds * self.busy

    def time(self, answer, rows, monkeypatch, **changes):
        monkeypatch.setattr("include.stages.gates.latency._task", lambda: self.work(0.0001))
        return time_answers(answer, rows, wall=lambda: self.now, cpu=lambda: self.used, **changes)


def test_times_each_row_in_every_round_and_not_the_warm_up():
    calls = []

    def answer(row):
        calls.append(row)
        time.sleep(0.02 if len(calls) <= 2 else 0.001)

    timing = time_answers(answer, 5, warm_up=2, rounds=2)
    assert calls == [0, 1, *range(5), *range(5)]
    assert timing.wall_ms.shape == timing.cpu_ms.shape == (5,)
    assert (timing.wall_ms >= 1).all()
    assert timing.wall_ms.min() < 20
    assert timing.cpu_ms.max() < timing.wall_ms.max(), "a sleep takes no CPU"
    assert timing.slowdown >= 1


def test_a_neighbour_that_comes_and_goes_does_not_decide(monkeypatch):
    machine, chance = Machine(), np.random.default_rng(1)

    def answer(row):
        machine.work(0.001)
        if chance.random() < 0.05:  # another process is given the CPU for a while
            machine.now += 0.05

    timing = machine.time(answer, 500, monkeypatch)
    assert timing.p99_ms == pytest.approx(1)
    assert machine.time(answer, 500, monkeypatch, rounds=1).p99_ms > 40, "one round alone would be misled"


def test_a_neighbour_that_stays_does_not_decide(monkeypatch):
    machine = Machine()
    machine.busy = 4.0
    timing = machine.time(lambda row: machine.work(0.001), 100, monkeypatch)
    assert timing.slowdown == pytest.approx(4)
    assert timing.p99_ms == pytest.approx(1)
    assert "4.00 ms on the clock, 1.00 ms of CPU" in timing.words()


def test_a_model_that_waits_or_works_long_is_slow_on_any_machine(monkeypatch):
    machine = Machine()

    def sleeping(row):
        machine.now += 0.01

    assert machine.time(sleeping, 50, monkeypatch).p99_ms == pytest.approx(10)
    machine.busy = 3.0
    assert machine.time(lambda row: machine.work(0.01), 50, monkeypatch).p99_ms == pytest.approx(10)


def test_no_rows_have_no_p99():
    timing = time_answers(lambda row: None, 0)
    with pytest.raises((ValueError, IndexError)):
        _ = timing.p99_ms
    assert Timing(wall_ms=np.full(9, 1.0), cpu_ms=np.full(9, 1.0)).p99_ms == 1
