"""A whole training as one job; for real: tests/integration/jobs/test_training.py."""

from types import SimpleNamespace

from include.steps import train


def test_the_steps_come_in_turn_and_the_version_that_is_judged_is_the_one_just_registered(monkeypatch):
    done = []

    def step(name, answer):
        def work(training, *words):
            done.append((name, *words))
            return answer

        monkeypatch.setattr(train, name, work)

    step("trial", 3)
    step("fit", "the fitted")
    step("register_version", SimpleNamespace(version="7"))
    step("gate", "the report")
    assert train.train(SimpleNamespace()) == ("the fitted", "the report")
    assert done == [("trial", "worker-0"), ("fit",), ("register_version",), ("gate", "7")]
