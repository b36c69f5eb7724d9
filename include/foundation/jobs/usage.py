"""What a job took of its machine, by what it sees itself: the same words on every backend."""

import resource
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

STARTED = time.monotonic()  # a job imports this when it begins
DEVICES = Path("/dev")


class Usage(BaseModel):
    """Of a job's process and of those that it has started and seen ended.

    Attributes:
        seconds: that it ran.
        cpu_seconds: of processors.
        gpu_seconds: that it held GPUs, all of those that its machine or container has together.
        memory_bytes: the most that one process held at once.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    memory_bytes: float


def used() -> Usage:
    """Until now."""
    seconds = time.monotonic() - STARTED
    gpus = len([*DEVICES.glob("nvidia[0-9]*")])
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Usage(
        seconds=seconds,
        cpu_seconds=sum(part.ru_utime + part.ru_stime for part in parts),
        gpu_seconds=gpus * seconds,
        memory_bytes=1024.0 * max(part.ru_maxrss for part in parts),
    )
