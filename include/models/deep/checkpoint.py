"""A fit's state as bytes that hold nothing but tensors and text (safetensors): never pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn, optim

Tensors = Mapping[str, Tensor]


@dataclass(kw_only=True)
class Standing:
    """Where a fit stands.

    Attributes:
        epoch: epochs that are over.
        best_epoch: the one with the lowest validation loss.
        best_loss: its loss.
        best: the network's tensors after it; empty without validation rows.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best: dict[str, Tensor] = field(default_factory=dict)


def pack(fit: str, standing: Standing, network: nn.Module, optimizer: optim.Optimizer) -> bytes:
    """A checkpoint of the fit that `fit` names: parameters, optimizer, random state, the best epoch so far."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in standing.best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors["random"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random_gpu"] = torch.cuda.get_rng_state()
    numbers = {"epoch": standing.epoch, "best_epoch": standing.best_epoch, "best_loss": repr(standing.best_loss)}
    own = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    return bytes(save(own, {"fit": fit, "standing": json.dumps(numbers)}))


def unpack(state: bytes, fit: str, network: nn.Module, optimizer: optim.Optimizer) -> Standing | None:
    """Go on where the checkpoint ends; None if it is of another fit, which is left as it is."""
    said, tensors = _metadata(state), load(state)
    if said.get("fit") != fit:
        return None
    numbers = json.loads(said["standing"])
    network.load_state_dict(_under("network.", tensors))
    states: dict[int, dict[str, Any]] = {}
    for name, value in _under("optimizer.", tensors).items():
        number, _, key = name.partition(".")
        states.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    torch.set_rng_state(tensors["random"])
    if "random_gpu" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random_gpu"])
    return Standing(
        epoch=numbers["epoch"],
        best_epoch=numbers["best_epoch"],
        best_loss=float(numbers["best_loss"]),
        best=_under("best.", tensors),
    )


def _metadata(state: bytes) -> dict[str, str]:
    """The text of a checkpoint: it stands before the tensors, its length in the first eight bytes."""
    length = int.from_bytes(state[:8], "little")
    return dict(json.loads(state[8 : 8 + length]).get("__metadata__", {}))


def _under(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
