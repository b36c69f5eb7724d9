"""A fit in this process, or shared by several that torchrun starts: each with a GPU of its own, or on CPUs.

    python -m torch.distributed.run --nproc-per-node N -m include.models.deep.processes <folder>

The folder holds what the fit is (`fit.json`, `rows.safetensors`) and afterwards the network (`network.safetensors`).
The leading process prints a line of JSON for each thing to report; whoever started it passes them on.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from include.foundation.errors import FlightlineError, InvalidInput
from include.foundation.progress import Progress
from include.models.deep.layers import Answering, Shape, build
from include.models.deep.loop import Fit, Group, Rows
from include.models.deep.loop import train as train_here
from include.models.deep.settings import Settings

log = logging.getLogger(__name__)
FIT, ROWS, NETWORK, CHECKPOINT = "fit.json", "rows.safetensors", "network.safetensors", "checkpoint.safetensors"


class ProcessesFailedError(FlightlineError):
    """A process of a shared fit ended before the fit did."""


def train(fit: Fit, progress: Progress) -> tuple[Answering, int]:
    """See `loop.train`: alone, or with as many processes as the settings say.

    Raises:
        InvalidInput: there are fewer GPUs than processes.
        ProcessesFailedError: one of several processes failed; its log says why.
    """
    size = _size(fit.settings)
    if size == 1:
        return train_here(fit, progress)
    with tempfile.TemporaryDirectory(prefix="flightline-fit-") as name:
        folder = Path(name)
        tensors = {"features": fit.rows.features, "labels": fit.rows.labels}
        if fit.valid:
            tensors |= {"valid_features": fit.valid.features, "valid_labels": fit.valid.labels}
        save_file(tensors, folder / ROWS)
        (folder / FIT).write_text(
            json.dumps({"shape": asdict(fit.shape), "settings": fit.settings.model_dump(), "seed": fit.seed})
        )
        if kept := progress.checkpoint(fit.name):
            (folder / CHECKPOINT).write_bytes(kept)
        _follow(folder, size, fit, progress)
        network = build(fit.shape, fit.settings)
        network.load_state_dict(load_file(folder / NETWORK))
        return network.eval(), int(json.loads((folder / FIT).read_text())["epochs"])


def _size(settings: Settings) -> int:
    """How many processes share a fit."""
    if settings.device != "gpu":
        return settings.processes or 1
    gpus = torch.cuda.device_count()
    if not gpus:
        raise InvalidInput("FLIGHTLINE_DEVICE is gpu, and PyTorch sees no GPU here: is it the image with CUDA's build?")
    if settings.processes > gpus:
        raise InvalidInput(
            f"parameters: processes is {settings.processes}, but there are {gpus} GPUs here: let the pod ask for as "
            "many (`nvidia.com/gpu`), or leave it out, for one process a GPU"
        )
    return settings.processes or gpus


def _follow(folder: Path, size: int, fit: Fit, progress: Progress) -> None:
    """Run the processes and pass on what the leading one says."""
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size), "-m", __name__, str(folder))
    command = (sys.executable, *words)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as run:
        for line in run.stdout or ():
            said = _said(line)
            if "epoch" in said:
                progress.epoch(said["epoch"], fit.settings.epochs, said["measured"])
            elif "stopped" in said:
                progress.stopped(said["stopped"], fit.settings.epochs)
            elif "saved" in said and progress.due():
                progress.save(fit.name, (folder / CHECKPOINT).read_bytes())
    if run.returncode:
        raise ProcessesFailedError(f"a fit shared by {size} processes ended with exit code {run.returncode}")


def _said(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    log.info("%s", line.rstrip())
    return {}


class _Told(Progress):
    """Progress of the leading process, told to the one that started all."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CHECKPOINT

    def epoch(self, number: int, most: int, measured: Mapping[str, float]) -> None:  # noqa: ARG002
        _tell(epoch=number, measured=dict(measured))

    def stopped(self, number: int, most: int) -> None:  # noqa: ARG002
        _tell(stopped=number)

    def checkpoint(self, fit: str) -> bytes | None:  # noqa: ARG002
        return self._file.read_bytes() if self._file.exists() else None

    def due(self) -> bool:
        return True

    def save(self, fit: str, state: bytes) -> None:  # noqa: ARG002
        draft = self._file.with_suffix(".draft")
        draft.write_bytes(state)
        draft.replace(self._file)
        _tell(saved=True)


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    """Be one of the processes."""
    said = json.loads((folder / FIT).read_text())
    image = said["shape"]["image"]
    categories = {int(place): size for place, size in said["shape"]["categories"].items()}
    shape = Shape(**{**said["shape"], "image": tuple(image) if image else None, "categories": categories})
    settings, tensors = Settings(**said["settings"]), load_file(folder / ROWS)
    gpu = settings.device == "gpu"
    torch.distributed.init_process_group("nccl" if gpu else "gloo")
    group = Group(rank=torch.distributed.get_rank(), size=torch.distributed.get_world_size())
    if gpu:
        torch.cuda.set_device(group.rank)
    valid = "valid_labels" in tensors and Rows(features=tensors["valid_features"], labels=tensors["valid_labels"])
    rows = Rows(features=tensors["features"], labels=tensors["labels"])
    fit = Fit(rows=rows, valid=valid or None, shape=shape, settings=settings, seed=said["seed"])
    network, epochs = train_here(fit, _Told(folder), group)
    if group.leads:
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / NETWORK)
        (folder / FIT).write_text(json.dumps({**said, "epochs": epochs}))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
