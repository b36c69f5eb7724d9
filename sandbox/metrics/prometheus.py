"""Prometheus, as Debian packages it, with the project's own configuration pointed at the sandbox."""

import subprocess
from functools import partial
from pathlib import Path

from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, SandboxError, Service, answers, python


def service(program: str, home: Path, *, host: str, port: int, cluster: str, token: Path, pushgateway: str) -> Service:
    """The server.

    Args:
        program: its path.
        home: the sandbox's directory.
        host: where it listens.
        port: where it listens.
        cluster: URL of the Kubernetes API in which it finds what to scrape.
        token: file with the token for that.
        pushgateway: `host:port`.
    """
    url, file = f"http://{host}:{port}", home / "prometheus.yaml"
    options = {
        "--config.file": str(file),
        "--storage.tsdb.path": str(home / "prometheus"),
        "--storage.tsdb.retention.time": "30d",
        "--web.listen-address": f"{host}:{port}",
    }
    assets = Path(program).parents[1] / "share" / "prometheus" / "web"
    if assets.exists():  # Debian's own option: its package does not carry the pages within the program
        options["--web.local-assets"] = f"{assets}/"
    return Service(
        name="prometheus",
        command=(program, *(word for option in options.items() for word in option)),
        outlived_by=("cluster", "pushgateway"),
        url=url,
        ports=(port,),
        prepare=partial(_configure, file, cluster, str(token), pushgateway),
        ready=partial(answers, f"{url}/-/ready"),
    )


def _configure(file: Path, *words: str) -> None:
    command = (str(python("sandbox")), "-m", "sandbox.metrics.configuration", *words)
    done = subprocess.run(command, cwd=REPO, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"Prometheus' configuration could not be made: {done.stderr.strip()[-500:]}")
    write(file, done.stdout)
