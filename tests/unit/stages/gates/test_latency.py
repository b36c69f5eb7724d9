import time

from include.stages.gates.latency import answer_times


def test_times_each_row_and_not_the_warm_up():
    calls = []

    def answer(row):
        calls.append(row)
        time.sleep(0.02 if len(calls) <= 2 else 0.001)

    times = answer_times(answer, 5, warm_up=2)
    assert calls == [0, 1, 0, 1, 2, 3, 4]
    assert times.shape == (5,)
    assert (times >= 1).all()
    assert times.min() < 20
