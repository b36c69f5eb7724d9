"""The training loop: one process of a fit, alone or among several that torchrun started."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn, optim

from include.foundation.progress import Progress
from include.models.deep import checkpoint
from include.models.deep.checkpoint import Standing
from include.models.deep.layers import Answering, Shape, build
from include.models.deep.settings import Settings

STEP_ROWS = 65_536  # that a validation step takes at once


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Encoded rows float32 [n, width] and their labels float32 [n]."""

    features: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Rows":
        """The same rows on a device."""
        return Rows(features=self.features.to(device), labels=self.labels.to(device))

    def of(self, places: Tensor) -> "Rows":
        """Some of the rows."""
        return Rows(features=self.features[places], labels=self.labels[places])


@dataclass(frozen=True, kw_only=True)
class Group:
    """The processes that share a fit; each takes its share of every batch."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one reports and keeps checkpoints."""
        return self.rank == 0


ALONE = Group()


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What is fitted, on what and how.

    Attributes:
        rows: what it learns from.
        valid: rows that decide when to stop; None runs all epochs.
        shape: what the network is for.
        settings: how it is built and fitted.
        seed: of weights, order and dropout.
    """

    rows: Rows
    valid: Rows | None
    shape: Shape
    settings: Settings
    seed: int

    @property
    def name(self) -> str:
        """SHA-256, hex: a checkpoint of a fit of another name is no start for this one."""
        said = hashlib.sha256(repr((asdict(self.shape), self.settings.model_dump(), self.seed)).encode())
        for rows in filter(None, (self.rows, self.valid)):
            said.update(rows.features.numpy().tobytes() + rows.labels.numpy().tobytes())
        return said.hexdigest()


def train(fit: Fit, progress: Progress, group: Group = ALONE) -> tuple[Answering, int]:
    """Fit a network. On a CPU the same fit gives the same bits, interrupted or not.

    Args:
        fit: what is fitted, on what and how.
        progress: where epochs are reported and checkpoints kept.
        group: the processes that share the fit.

    Returns:
        The network on the CPU, as after its best epoch, and how many epochs that took.
    """
    settings, name = fit.settings, fit.name
    device = _machine(settings, group)
    torch.manual_seed(fit.seed)
    network = build(fit.shape, settings)
    network.learn_scale(fit.rows.features, fit.rows.labels)
    network.to(device)
    rows, valid = fit.rows.to(device), fit.valid.to(device) if fit.valid else None
    optimizer = optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    kept = progress.checkpoint(name)
    standing = (kept and checkpoint.unpack(kept, name, network, optimizer)) or Standing()
    body = network.network
    if group.size > 1:
        body = nn.parallel.DistributedDataParallel(body)
    body = torch.compile(body) if settings.compile else body
    while standing.epoch < settings.epochs and not _settled(standing, settings, valid):
        network.train()
        order = _order(rows, fit.seed, standing.epoch)
        losses = [
            _step(body, network, optimizer, rows.of(batch), mixed=settings.mixed)
            for batch in _batches(order, settings, group)
        ]
        measured = {"loss": float(torch.stack(losses).mean())}
        standing.epoch += 1
        if valid is not None:
            measured["valid_loss"] = _loss(network, valid)
            if measured["valid_loss"] < standing.best_loss:
                standing.best_loss, standing.best_epoch = measured["valid_loss"], standing.epoch
                standing.best = {key: value.clone() for key, value in network.state_dict().items()}
        if group.leads:
            progress.epoch(standing.epoch, settings.epochs, measured)
            if progress.due():
                progress.save(name, checkpoint.pack(name, standing, network, optimizer))
    if standing.epoch < settings.epochs and group.leads:
        progress.stopped(standing.epoch, settings.epochs)
    if standing.best:
        network.load_state_dict(standing.best)
    return network.cpu().eval(), standing.best_epoch or standing.epoch


def _machine(settings: Settings, group: Group) -> torch.device:
    """Set the process up and say where it computes."""
    torch.set_num_threads(settings.num_threads)
    # The same bits each time, where the device has such algorithms; CUDA's matrix library wants to be told before.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=settings.device == "gpu")
    return torch.device("cuda", group.rank) if settings.device == "gpu" else torch.device("cpu")


def _settled(standing: Standing, settings: Settings, valid: Rows | None) -> bool:
    return valid is not None and standing.epoch - standing.best_epoch >= settings.patience


def _order(rows: Rows, seed: int, epoch: int) -> Tensor:
    """The rows' order in an epoch: by seed and epoch alone, so that a resumed fit has the same."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(len(rows.labels), generator=random).to(rows.labels.device)


def _batches(order: Tensor, settings: Settings, group: Group) -> Iterator[Tensor]:
    """This process' share of each batch; a rest that is too small for every process is left out."""
    for start in range(0, len(order), settings.batch_size):
        batch = order[start : start + settings.batch_size]
        share = len(batch) // group.size
        if share:
            yield batch[group.rank * share : (group.rank + 1) * share] if group.size > 1 else batch


def _step(body: nn.Module, network: Answering, optimizer: optim.Optimizer, rows: Rows, *, mixed: bool) -> Tensor:
    """One step of the optimizer. Returns the loss, which stays on the device: to wait for it would halve the speed."""
    with torch.autocast(rows.labels.device.type, torch.bfloat16, enabled=mixed):
        logits = body(rows.features)
    loss = network.loss(logits.float(), rows.labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def _loss(network: Answering, rows: Rows) -> float:
    """The loss of rows, in float32."""
    network.eval()
    with torch.no_grad():
        parts = zip(rows.features.split(STEP_ROWS), rows.labels.split(STEP_ROWS), strict=True)
        total = sum(float(network.loss(network.network(part), label)) * len(label) for part, label in parts)
    return total / len(rows.labels)
