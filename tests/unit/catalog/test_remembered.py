"""A value that is read behind the back of who asks."""

import threading

import pytest

from include.catalog.remembered import Remembered
from tests.unit.catalog.waiting import until


def test_only_the_first_waits_and_what_is_old_is_read_again():
    read = iter(range(10))
    value = Remembered(lambda: next(read), seconds=0)
    assert value() == 0
    assert value() == 0, "given as it was, and read again"
    until(lambda: value() > 0)


def test_it_is_fresh_for_a_while():
    read = iter(range(10))
    value = Remembered(lambda: next(read), seconds=600)
    assert [value(), value(), value()] == [0, 0, 0]


def test_a_failure_is_told_and_not_remembered():
    answers = iter([RuntimeError("down"), 5])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    value = Remembered(read, seconds=600)
    with pytest.raises(RuntimeError):
        value()
    assert value() == 5


def test_who_asks_first_together_read_once():
    gate, reads = threading.Event(), []

    def read():
        gate.wait(10)
        reads.append(1)
        return 1

    value = Remembered(read, seconds=600)
    threads = [threading.Thread(target=value) for _ in range(5)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert reads == [1]
