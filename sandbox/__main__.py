"""The sandbox's commands: `python -m sandbox up|down|status|logs|restart|env`."""

import sys

if sys.version_info[:2] != (3, 11):
    sys.exit("the sandbox needs Python 3.11; this is Python %d.%d" % sys.version_info[:2])  # noqa: UP031 (old Pythons)

import argparse
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import asdict

from sandbox.airflow import config as airflow_config
from sandbox.endpoints import Endpoints
from sandbox.services import chosen
from sandbox.supervisor import control
from sandbox.supervisor.home import Home, Lock
from sandbox.supervisor.service import SandboxError
from sandbox.supervisor.supervisor import Supervisor


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def show(*, as_json: bool) -> int:
    """Print every service; 0 when all are healthy, else 1."""
    reports = control.status()
    if as_json:
        say(json.dumps([asdict(report) for report in reports], indent=1))
        return 0 if reports and all(report.healthy for report in reports) else 1
    if not reports:
        say("the sandbox has never been up; `make up` starts it")
        return 1
    for report in reports:
        if report.phase != "done":
            mark = "healthy" if report.healthy else report.phase if report.phase != "ready" else "silent"
            restarts = f"{report.restarts} restarts" if report.restarts else ""
            columns = f"{report.name:<14} {mark:<10} {report.pid or '-':<8} {restarts:<12}"
            say(f"{columns} {report.url} {report.message}".rstrip())
    if any(report.pid for report in reports) and not Lock(Home.from_env()).holder():
        say("the supervisor is dead: nothing restarts what dies; `make up` starts all of it again")
        return 1
    at = Endpoints.from_env()
    say(f"Airflow: {at.url('airflow')} (user {airflow_config.USER}, password {at.secrets.airflow_password})")
    return 0 if all(report.healthy for report in reports) else 1


def logs(service: str | None, *, follow: bool) -> None:
    """Become `tail` on the service's log."""
    log = Home.from_env().log(service or "supervisor")
    if not service or not log.exists():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log"))) or "none yet: `make up` starts them"
        what = f"there is no log of {service!r}" if service else "say which: make logs SERVICE=name"
        raise SandboxError(f"{what}; there are: {known}")
    os.execvp("tail", ["tail", "-n", "200", *(["-F"] if follow else []), str(log)])  # noqa: S606 (no shell is wanted)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything; harmless when it is up")
    up.add_argument("services", nargs="*", help="only these and what they need; `all` stands for what is not optional")
    commands.add_parser("check", help="whether the environment's FLIGHTLINE_* make sense; starts nothing")
    commands.add_parser("down", help="stop everything; data stay")
    status = commands.add_parser("status", help="what runs, where, how it feels; exit code 0 when all is healthy")
    status.add_argument("--json", action="store_true", help="for programs")
    logs_of = commands.add_parser("logs", help="the end of a service's log")
    logs_of.add_argument("service", nargs="?", help="its name; without one, the names are listed")
    logs_of.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    commands.add_parser("restart", help="restart one service").add_argument("service")
    commands.add_parser("env", help="the pods' environment, for `eval` in a shell; holds secrets")
    supervise = commands.add_parser("supervise")
    supervise.add_argument("lock", type=int)
    supervise.add_argument("services", nargs="*")
    return root


def export() -> None:
    """Print the environment as shell commands."""
    for name, value in Endpoints.from_env().shell_env.items():
        say(f"export {name}={shlex.quote(value)}")


def supervise(services: list[str]) -> None:
    """Be the supervisor. The lock's descriptor, which came from `up`, stays open until this process ends."""
    os.umask(0o077)
    at = Endpoints.from_env()
    Supervisor(at.home, chosen(at, services)).run()


def check() -> None:
    """Raise SandboxError for a port that is none, and for a home that cannot be made."""
    home = Home.from_env()
    home.port()
    above = next(path for path in (home.path, *home.path.parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise SandboxError(f"{home.path} cannot be made: {above} is not a directory to write to; set FLIGHTLINE_HOME")


def up(services: list[str]) -> int:
    """Start, then show."""
    control.up(services, say=say)
    say("the sandbox is up")
    return show(as_json=False)


def main() -> int:
    """Run one command; returns its exit code."""
    asked = parser().parse_args()
    commands: dict[
        str, Callable[[], int | None]
    ] = {  # no match statement: older Pythons must get as far as the message above
        "up": lambda: up(asked.services),
        "check": check,
        "down": lambda: control.down(say=say),
        "status": lambda: show(as_json=asked.json),
        "logs": lambda: logs(asked.service, follow=asked.follow),
        "restart": lambda: control.restart(asked.service, say=say),
        "env": export,
        "supervise": lambda: supervise(asked.services),
    }
    try:
        return commands[asked.command]() or 0
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsandbox: interrupted; what was started goes on in the background", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
