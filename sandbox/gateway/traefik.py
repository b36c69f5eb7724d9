"""Traefik as a service: one entry point on loopback, routes from the files of a folder."""

from functools import partial
from pathlib import Path

from sandbox.supervisor.service import SandboxError, Service, answers, python

RELOAD = "100ms"  # between two changes of routes


def folder(home: Path) -> Path:
    """Where the routes are written to."""
    return home / "gateway"


def service(home: Path, *, host: str, port: int) -> Service:
    """The gateway's data plane, on one port of a loopback address."""
    routes, program = folder(home), python("sandbox").parent / "traefik"
    options = {
        "global.sendanonymoususage": "false",
        "global.checknewversion": "false",
        "entrypoints.web.address": f"{host}:{port}",
        "ping.entrypoint": "web",
        "providers.file.directory": str(routes),
        "providers.providersthrottleduration": RELOAD,
        "log.level": "WARN",
        "log.nocolor": "true",
    }

    def prepare() -> None:
        if not program.is_file():
            raise SandboxError(f"{program} is missing; `make setup` makes the environment that holds the gateway")
        routes.mkdir(exist_ok=True)

    url = f"http://{host}:{port}"
    return Service(
        name="traefik",
        command=(str(program), *(f"--{name}={value}" for name, value in options.items())),
        url=url,
        ports=(port,),
        needs=("cluster",),
        prepare=prepare,
        ready=partial(answers, f"{url}/ping"),
    )
