"""A TCP port that forwards each new connection to the next backend; connections that are open stay with theirs."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import cast

from sandbox.cluster.ports import HOST

Backend = tuple[str, int]
_BACKLOG = 1024


class _Pipe(asyncio.Protocol):
    """One end of a connection: what arrives here is written to the other end, no faster than that takes it."""

    def __init__(self, connected: Callable[["_Pipe"], None] | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Pipe | None = None
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Not at once: an early 3.11 begins to read right after this call, whatever was asked of the transport in it.
        asyncio.get_running_loop().call_soon(self.transport.pause_reading)
        if self._connected:
            self._connected(self)

    def join(self, other: "_Pipe") -> None:
        """Begin to pass data on, both ways."""
        self.other, other.other = other, self
        for end, peer in ((self, other), (other, self)):
            if end.transport is None or end.transport.is_closing():
                if peer.transport is not None:
                    peer.transport.close()  # one end went before it was joined
            else:
                end.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        peer = self.other.transport if self.other else None
        if peer is None or peer.is_closing():
            return False
        peer.write_eof()
        return True  # the other direction goes on

    def connection_lost(self, error: Exception | None) -> None:
        peer = self.other.transport if self.other else None
        if peer is not None:
            peer.close() if error is None else peer.abort()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class Forwarder:
    """Listens on one port of 127.0.0.1; `backends` may change at any time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.backends: Sequence[Backend] = ()
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._joining: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken by another program.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Pipe(self._accept), HOST, self.port, backlog=_BACKLOG)

    def stop(self) -> None:
        """Listen no more; open connections go on."""
        if self._server is not None:
            self._server.close()

    def _accept(self, client: _Pipe) -> None:
        task = asyncio.create_task(self._join(client))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def rotation(self) -> list[Backend]:
        """The backends, beginning with the one whose turn it is."""
        backends = list(self.backends)
        self._turn += 1
        start = self._turn % len(backends) if backends else 0
        return backends[start:] + backends[:start]

    async def _join(self, client: _Pipe) -> None:
        loop = asyncio.get_running_loop()
        for host, port in self.rotation():
            with contextlib.suppress(OSError):
                _, server = await loop.create_connection(_Pipe, host, port)
                client.join(server)
                return
        if client.transport is not None:
            client.transport.abort()
