"""`python -m sandbox.modzy`: serve on 127.0.0.1 until SIGTERM. The object store is that of the AWS_* variables."""

import argparse
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sandbox.modzy.api import Api
from sandbox.modzy.container import Registry
from sandbox.modzy.jobs import Jobs
from sandbox.modzy.models import Models


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.modzy", description="Stand-in for Modzy")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=Path, required=True, metavar="FILE", help="which images there are, JSON")
    parser.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="holds the API key")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    arguments.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    models = Models(Registry(arguments.images, arguments.state / "images"), arguments.state)
    api = Api(models=models, jobs=Jobs(models), key=arguments.key_file.read_text(encoding="utf-8").strip())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        models.stop()  # not after uvicorn.run: it ends this process by the signal that it was sent

    app = api.app(lifespan)
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, access_log=False, timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
