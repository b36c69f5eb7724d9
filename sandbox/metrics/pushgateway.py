"""Prometheus' Pushgateway (https://github.com/prometheus/pushgateway), as Debian packages it."""

from functools import partial
from pathlib import Path

from sandbox.supervisor.service import Service, answers


def service(program: str, home: Path, *, host: str, port: int) -> Service:
    """The gateway; what was pushed outlives it."""
    url = f"http://{host}:{port}"
    options = {
        "--web.listen-address": f"{host}:{port}",
        "--web.local-assets": str(Path(program).parents[1] / "share" / "prometheus" / "pushgateway"),
        "--persistence.file": str(home / "pushgateway.data"),
    }
    return Service(
        name="pushgateway",
        command=(program, "--persistence.interval=10s", *(word for option in options.items() for word in option)),
        url=url,
        ports=(port,),
        ready=partial(answers, f"{url}/-/ready"),
    )
