"""The life of the process: load, answer, leave without losing a request."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import uvicorn

from include.services.serving.asgi import App
from include.services.serving.readiness import Readiness

log = logging.getLogger(__name__)
KEEP_ALIVE = 75  # seconds; more than proxies keep an idle connection, so that it is they who close it
GRACE = 20  # seconds for the requests that are still in flight after the drain


class _Server(uvicorn.Server):
    """uvicorn, but signals are not its business: it would close its sockets at once and die of the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: App, readiness: Readiness, *, host: str, port: int, drain_seconds: float) -> None:
    """Answer until SIGTERM or SIGINT, then drain and return.

    Draining: not ready from now on and every answer closes its connection, so that callers go elsewhere, but whoever
    still comes is answered; after `drain_seconds` no new connection is taken and what is in flight is finished. A
    second signal skips the wait.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
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
        server.should_exit = readiness.draining
        readiness.drain()
        leaving.set()

    async def drain() -> None:
        await leaving.wait()
        log.info("draining for %s s", drain_seconds)
        await asyncio.sleep(drain_seconds)
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    background = [asyncio.create_task(readiness.watch()), asyncio.create_task(drain())]
    try:
        await server.serve()
    finally:
        for task in background:
            task.cancel()
    log.info("left")
