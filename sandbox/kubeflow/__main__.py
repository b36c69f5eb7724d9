"""`python -m sandbox.kubeflow`: serve on 127.0.0.1 until SIGTERM."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sandbox.kubeflow.api import Api


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.kubeflow", description="Stand-in for Kubeflow Pipelines")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=Path, required=True, metavar="FILE", help="as of the sandbox's cluster")
    parser.add_argument("--secrets", type=Path, required=True, metavar="FILE", help="JSON: Secret to its variables")
    parser.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="holds the token of clients")
    arguments = parser.parse_args()
    os.umask(0o077)
    arguments.state.mkdir(parents=True, exist_ok=True)
    api = Api(
        state=arguments.state,
        images=arguments.images,
        secrets=arguments.secrets,
        token=arguments.token_file.read_text().strip(),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        api.close()

    app = api.app()
    app.router.lifespan_context = lifespan
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, access_log=False, timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
