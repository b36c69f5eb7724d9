"""The loop: early stopping, checkpoints, and that an interrupted fit ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from include.foundation.progress import Progress
from include.models.deep.layers import Shape
from include.models.deep.loop import Fit, Group, Rows, _batches, train
from include.models.deep.settings import Settings
from sandbox.supervisor.service import REPO

SHAPE = Shape(width=6, categories={5: 3}, classes=1, problem="binary", image=None)
SETTINGS = Settings(epochs=6, hidden=64, dropout=0.3, batch_size=32)


def rows(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 6, generator=random)
    features[:, 5] = torch.randint(0, 3, (count,), generator=random)
    return Rows(features=features, labels=(features[:, 0] + features[:, 5] > 1).float())


class Kept(Progress):
    """Keeps every checkpoint in a file; breaks after an epoch."""

    def __init__(self, file, *, breaks_after=None):
        self.file, self.breaks_after, self.epochs, self.end = Path(file), breaks_after, [], None

    def epoch(self, number, most, measured):
        self.epochs.append((number, measured))

    def stopped(self, number, most):
        self.end = number

    def checkpoint(self, fit):
        return self.file.read_bytes() if self.file.exists() else None

    def due(self):
        return True

    def save(self, fit, state):
        draft = self.file.with_suffix(".draft")
        draft.write_bytes(state)
        draft.replace(self.file)
        if self.epochs[-1][0] == self.breaks_after:
            raise KeyboardInterrupt


def fitted(learned, valid, settings, seed, progress):
    return train(Fit(rows=learned, valid=valid, shape=SHAPE, settings=settings, seed=seed), progress)


def same(one, other):
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_an_interrupted_fit_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path):
    valid, whole = rows(100, seed=1), Kept(tmp_path / "whole")
    expected, epochs = fitted(rows(500), valid, SETTINGS, 7, whole)
    with pytest.raises(KeyboardInterrupt):
        fitted(rows(500), valid, SETTINGS, 7, Kept(tmp_path / "kept", breaks_after=3))
    resumed = Kept(tmp_path / "kept")
    found = fitted(rows(500), valid, SETTINGS, 7, resumed)
    assert [number for number, _ in resumed.epochs] == [4, 5, 6]
    assert resumed.epochs == whole.epochs[3:]
    assert found[1] == epochs
    same(found[0], expected)


@pytest.mark.parametrize("change", [{"seed": 8}, {"settings": SETTINGS.model_copy(update={"hidden": 32})}])
def test_a_checkpoint_of_another_fit_is_no_start(tmp_path, change):
    with pytest.raises(KeyboardInterrupt):
        fitted(rows(200), None, SETTINGS, 7, Kept(tmp_path / "kept", breaks_after=2))
    other = Kept(tmp_path / "kept")
    fitted(rows(200), None, change.get("settings", SETTINGS), change.get("seed", 7), other)
    assert other.epochs[0][0] == 1


def test_a_fit_stops_when_validation_shows_no_gain_and_gives_its_best_epoch(tmp_path):
    noise = Rows(features=rows(60, seed=3).features, labels=torch.randint(0, 2, (60,)).float())
    progress = Kept(tmp_path / "kept")
    settings = Settings(epochs=200, hidden=64, patience=2, learning_rate=0.01, batch_size=32)
    network, epochs = fitted(rows(200), noise, settings, 1, progress)
    losses = [measured["valid_loss"] for _, measured in progress.epochs]
    assert progress.end == len(losses) == epochs + 2 < 200
    assert losses[epochs - 1] == min(losses)
    again, _ = fitted(rows(200), None, settings.model_copy(update={"epochs": epochs}), 1, Progress())
    same(again, network)


def test_processes_share_each_batch_evenly():
    order = torch.arange(70)
    shares = [[*_batches(order, SETTINGS, Group(rank=rank, size=4))] for rank in range(4)]
    assert [len(share[0]) for share in shares] == [8] * 4
    assert torch.cat([share[0] for share in shares]).tolist() == [*range(32)]
    assert [len(share[-1]) for share in shares] == [1] * 4, "6 rows for 4 processes: two are left out"
    assert [len(batch) for batch in _batches(order, SETTINGS, Group())] == [32, 32, 6]


@pytest.mark.long
def test_a_fit_that_is_killed_in_an_epoch_ends_as_an_uninterrupted_one(tmp_path):
    from safetensors.torch import load_file

    expected, _ = fitted(rows(4000), rows(500, seed=1), SETTINGS, 7, Progress())
    command = [sys.executable, __file__, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), *filter(None, sys.path)])}
    process = subprocess.Popen(command, env=env)
    deadline = time.monotonic() + 120
    while not (tmp_path / "kept").exists():
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "network").exists()
    subprocess.run(command, env=env, check=True)
    found = load_file(tmp_path / "network")
    assert all(torch.equal(value, found[name]) for name, value in expected.state_dict().items())


if __name__ == "__main__":  # the process that is killed; its rows make an epoch long enough to be hit
    from safetensors.torch import save_file

    network, _ = fitted(rows(4000), rows(500, seed=1), SETTINGS, 7, Kept(f"{sys.argv[1]}/kept"))
    save_file(network.state_dict(), f"{sys.argv[1]}/network")
