"""`python -m sandbox.argocd`: serve on 127.0.0.1 until SIGTERM."""

import argparse
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sandbox.argocd.accounts import Accounts
from sandbox.argocd.api import Api
from sandbox.argocd.clusters import Clusters
from sandbox.argocd.controller import Controller
from sandbox.argocd.source import Sources
from sandbox.argocd.store import Store


def read_token(path: Path) -> str:
    """The token of a file; a fresh one is written there if the file does not exist."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.argocd", description="Stand-in for Argo CD")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE", help="of its own cluster")
    parser.add_argument("--clusters", type=Path, metavar="DIR", help="of other clusters: <name>.kubeconfig")
    parser.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="API token, made if missing")
    parser.add_argument("--admin-password-file", type=Path, metavar="FILE", help="without it nobody can log in")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)

    os.umask(0o077)  # the store holds the key that signs logins
    arguments.state.mkdir(parents=True, exist_ok=True)
    password_file = arguments.admin_password_file
    store, sources = Store(arguments.state / "argocd.sqlite"), Sources(arguments.state / "repositories")
    controller = Controller(store=store, sources=sources, clusters=Clusters(arguments.kubeconfig, arguments.clusters))
    accounts = Accounts(
        store,
        token=read_token(arguments.token_file),
        password=password_file.read_text(encoding="utf-8").strip() if password_file else None,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        controller.start()
        yield
        controller.stop()

    app = Api(store=store, sources=sources, controller=controller, accounts=accounts).app()
    app.router.lifespan_context = lifespan
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, access_log=False, timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
