"""A fit that two processes share, as torchrun starts them on GPUs; here on the CPU (gloo)."""

import os
import sys

import pytest
import torch

from include.foundation.errors import InvalidInput
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


@pytest.mark.parametrize(("gpus", "said", "processes_"), [(2, 0, 2), (4, 0, 4), (4, 2, 2)])
def test_a_fit_on_gpus_has_a_process_for_each_of_the_pod_s(monkeypatch, gpus, said, processes_):
    class StartedError(Exception):
        pass

    def start(command, **_):
        raise StartedError(*command[1:6])

    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(processes.subprocess, "Popen", start)
    assert Settings().processes == 0, "unless a use case says otherwise"
    with pytest.raises(StartedError) as started:
        processes.train(fit(64, SETTINGS.model_copy(update={"device": "gpu", "processes": said})), Progress())
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes_))
    assert started.value.args == words


@pytest.mark.parametrize(
    ("gpus", "asked", "told"), [(0, 0, "PyTorch sees no GPU here"), (1, 2, "processes is 2, but there are 1 GPUs")]
)
def test_gpus_that_are_not_there_are_named_before_anything_starts(monkeypatch, gpus, asked, told):
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(InvalidInput, match=told):
        processes.train(fit(64, SETTINGS.model_copy(update={"device": "gpu", "processes": asked})), Progress())


def test_one_process_needs_no_torchrun(monkeypatch):
    monkeypatch.setattr(processes, "_follow", None)
    _, epochs = processes.train(fit(64, SETTINGS), Progress())
    assert epochs == 3


def test_a_process_that_fails_fails_the_fit(monkeypatch):
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(processes.ProcessesFailedError, match="shared by 2 processes ended with exit code 1"):
        processes.train(fit(64, SETTINGS.model_copy(update={"processes": 2})), Progress())
