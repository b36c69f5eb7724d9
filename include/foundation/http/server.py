"""The life of a service's process: answer, leave without losing a request, wait for nobody who sends nothing."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from include.foundation.http.guard import Guard

log = logging.getLogger(__name__)
KEEP_ALIVE = 75  # seconds; more than proxies keep an idle connection, so that it is they who close it
HEAD = 20  # seconds from a connection's start, or a request's first byte, to the end of the request's head
GRACE = 20  # seconds for the requests that are still in flight after the drain


class _Server(uvicorn.Server):
    """uvicorn, but signals are not its business: it would close its sockets at once and die of the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """uvicorn's, but a caller who does not finish a request's head is left."""

    head_seconds: float = HEAD
    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._waits is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._waits = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


async def serve(
    app: Guard,
    *,
    host: str,
    port: int,
    drain_seconds: float = 0,
    on_leave: Callable[[], None] = lambda: None,
    background: Sequence[Coroutine[Any, Any, None]] = (),
) -> None:
    """Answer until SIGTERM or SIGINT, then drain and return.

    Draining: every answer closes its connection, so that callers go elsewhere, but whoever still comes is answered;
    after `drain_seconds` no new connection is taken and what is in flight is finished. A second signal skips the wait.

    Args:
        app: the service.
        host: address to listen on.
        port: port to listen on.
        drain_seconds: how long to go on.
        on_leave: is called when draining begins.
        background: run as long as the service does.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    leaving = asyncio.Event()

    def leave() -> None:
        server.should_exit = leaving.is_set()
        app.draining = True
        on_leave()
        leaving.set()

    async def drain() -> None:
        await leaving.wait()
        log.info("draining for %s s", drain_seconds)
        await asyncio.sleep(drain_seconds)
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    tasks = [asyncio.create_task(each) for each in (*background, drain())]
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()
    log.info("left")
