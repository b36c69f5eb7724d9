"""A fit that two processes share, as torchrun starts them on GPUs; here on the CPU (gloo)."""

import os
import sys

import pytest
import torch

from include.foundation.progress import Progress
from include.models.deep import processes
from include.models.deep.loop import Fit
from include.models.deep.loop import train as train_alone
from include.models.deep.settings import Settings
from sandbox.supervisor.service import REPO
from tests.unit.models.deep.test_loop import SHAPE, Kept, rows

SETTINGS = Settings(epochs=3, hidden=16, batch_size=64)


def fit(count, settings):
    return Fit(rows=rows(count), valid=rows(64, seed=1), shape=SHAPE, settings=settings, seed=7)


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPO), *filter(None, sys.path)]))


@pytest.mark.long
def test_two_processes_learn_what_one_does_and_report_once(tmp_path):
    progress = Kept(tmp_path / "kept")
    both = SETTINGS.model_copy(update={"processes": 2})
    shared, epochs = processes.train(fit(512, both), progress)
    alone, alike = train_alone(fit(512, SETTINGS), Progress())
    assert epochs == alike == 3
    assert [number for number, _ in progress.epochs] == [1, 2, 3]
    assert progress.file.stat().st_size > 0, "its checkpoints are passed on"
    test = rows(200, seed=2).features
    torch.testing.assert_close(shared(test), alone(test), atol=1e-3, rtol=0)


def test_one_process_needs_no_torchrun(monkeypatch):
    monkeypatch.setattr(processes, "_follow", None)
    _, epochs = processes.train(fit(64, SETTINGS), Progress())
    assert epochs == 3


def test_a_process_that_fails_fails_the_fit(monkeypatch):
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(processes.ProcessesFailedError, match="shared by 2 processes ended with exit code 1"):
        processes.train(fit(64, SETTINGS.model_copy(update={"processes": 2})), Progress())
