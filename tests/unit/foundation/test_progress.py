import logging

from include.foundation import progress
from include.foundation.progress import Progress


class Counted(Progress):
    def __init__(self):
        self.epochs = []

    def epoch(self, number, most, measured):
        self.epochs.append(number)


def test_a_fit_reports_to_whoever_asked_for_it_and_to_nobody_after(caplog):
    caplog.set_level(logging.INFO)
    counted = Counted()
    with progress.reporting(counted):
        progress.current().epoch(1, 2, {"loss": 1.0})
    assert counted.epochs == [1]
    progress.current().epoch(2, 2, {"loss": 0.25})
    assert counted.epochs == [1]
    assert "epoch 2/2 loss 0.2500" in caplog.text


def test_without_anyone_to_keep_them_there_are_no_checkpoints():
    assert Progress().checkpoint("a fit") is None
    assert not Progress().due()
