"""What must hold before anything starts. Every finding names the thing and the remedy."""

import shutil
import socket
from collections.abc import Iterable

from sandbox.endpoints import HOST
from sandbox.supervisor import processes
from sandbox.supervisor.home import Home
from sandbox.supervisor.service import SandboxError, Service

NEEDED_DISK_BYTES = 2 << 30


def disk(home: Home) -> None:
    """Raise SandboxError when the disk is full."""
    free = shutil.disk_usage(home.path).free
    if free < NEEDED_DISK_BYTES:
        raise SandboxError(
            f"the disk of {home.path} has {free >> 20} MB free and the sandbox needs {NEEDED_DISK_BYTES >> 20} MB; "
            "free some space, or set FLIGHTLINE_HOME to a directory on another disk"
        )


def layout(home: Home) -> None:
    """Raise SandboxError when the lake is one that an earlier version wrote and this one cannot read."""
    former = home.path / "s3"
    if former.exists():
        raise SandboxError(
            f"{former} holds the lake of an earlier version, which this one cannot read; `make clean` deletes this "
            "sandbox with its data, or set FLIGHTLINE_HOME to another directory"
        )


def ports(services: Iterable[Service]) -> None:
    """Raise SandboxError when a port is busy."""
    for service in services:
        for port in service.ports:
            _port(service.name, port)


def _port(service: str, port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise SandboxError(
            f"port {port} ({service}) is used by {processes.listener(port)}; "
            "stop that, or set FLIGHTLINE_PORT to another base port"
        ) from error
