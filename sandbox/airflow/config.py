"""Airflow 3 for the sandbox: its configuration file and its processes."""

import json
import os
import time
import urllib.request
from datetime import datetime
from functools import partial
from http.client import HTTPException

from include import TELEMETRY_OFF
from sandbox.endpoints import HOST, Endpoints
from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, Service, answers, never, python

USER = "admin"
OPENLINEAGE = "FLIGHTLINE_OPENLINEAGE"  # a file or an address that gets OpenLineage's events
# Scheduler, triggerer and Dag processor beat every five seconds, but a busy one may be late: the triggerer builds its
# own execution API, up to a minute on a loaded machine, when its first trigger asks for a Connection. So one that is
# busy has 90 s since its last beat. The scheduler works in its main thread, which never rests for a second: one that
# misses two beats and uses no processor time hangs, and is found about 15 s after its last beat.
LATE_SECONDS = {"scheduler": 10.0, "triggerer": 60.0, "dag-processor": 60.0}
GIVEN_UP_SECONDS = 90.0
HUNG_SECONDS = {"scheduler": 5.0}


def settings(at: Endpoints) -> dict[str, dict[str, object]]:
    """What differs from Airflow's defaults, by section."""
    return {
        "core": {
            "dags_folder": REPO / "dags",
            "plugins_folder": REPO / "plugins",
            "load_examples": False,
            "dags_are_paused_at_creation": False,
            "executor": "LocalExecutor",
            "parallelism": 8,  # worker processes; most of their time they wait for something else
            "execution_api_server_url": f"{at.url('airflow')}/execution/",
            "hostname_callable": f"{__name__}.hostname",  # the default asks DNS
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": at.home.airflow / "passwords.json",
            "fernet_key": at.secrets.airflow_fernet_key,
            "min_serialized_dag_update_interval": 5,
        },
        "database": {
            "sql_alchemy_conn": at.dsn("airflow", driver="psycopg2"),
            "sql_alchemy_conn_async": at.dsn("airflow", driver="asyncpg"),
        },
        "logging": {
            "base_log_folder": at.home.airflow / "logs",
            "colored_console_log": False,
            "worker_log_server_port": at.port_of("logs"),
            "trigger_log_server_port": at.port_of("logs"),
        },
        "api": {
            "host": HOST,
            "port": at.port_of("airflow"),
            "base_url": at.url("airflow"),
            "workers": 1,
            "secret_key": at.secrets.airflow_api_secret,
            "instance_name": "Flightline",
        },
        "api_auth": {"jwt_secret": at.secrets.airflow_jwt_secret},
        "workers": {"execution_api_timeout": 30},  # two cores may be busy for a while
        "scheduler": {
            "scheduler_idle_sleep_time": 0.25,
            # A killed scheduler's tasks run again after about half a minute instead of five.
            "scheduler_health_check_threshold": 20,
            "orphaned_tasks_check_interval": 15,
            "task_instance_heartbeat_timeout": 60,
            "task_instance_heartbeat_timeout_detection_interval": 5,
            "trigger_timeout_check_interval": 5,
        },
        "triggerer": {"triggerer_health_check_threshold": 20},
        # A changed Dag file is read at once, a changed spec within two minutes. All of them twice a minute, which is
        # Airflow's default, would cost a quarter of a core for ever.
        "dag_processor": {"refresh_interval": 10, "min_file_process_interval": 120, "parsing_processes": 1},
        "openlineage": _openlineage(os.environ.get(OPENLINEAGE, "")),
    }


def _openlineage(where: str) -> dict[str, object]:
    """Events go to a file, or to an address by HTTP; without either there are none: every task would pay for them."""
    if not where:
        return {"disabled": True}
    http = where.startswith(("http://", "https://"))
    transport = {"type": "http", "url": where} if http else {"type": "file", "log_file_path": where, "append": True}
    return {"disabled": False, "namespace": "flightline", "transport": json.dumps(transport)}


def hostname() -> str:
    """Where the log server of this machine's tasks listens."""
    return HOST


def services(at: Endpoints) -> tuple[Service, ...]:
    """The migration, which runs once, and the long-running processes."""
    interpreter = str(python("airflow"))
    env = {
        "AIRFLOW_HOME": str(at.home.airflow),
        "PYTHONPATH": str(REPO),
        "FLIGHTLINE_HOME": str(at.home.path),
        "FLIGHTLINE_PORT": str(at.port),
        **TELEMETRY_OFF,
        "FLIGHTLINE_ALLOW_DIRTY": "1",  # images are named by what the checkout holds, committed or not
    }
    around = ("api-server", "mlflow", "sigopt", "cluster", "argocd", "seaweedfs")
    migration = Service(
        name="migration",
        command=(interpreter, "-m", "sandbox.airflow.setup"),
        env=env,
        needs=("postgres",),
        prepare=partial(_configure, at),
        ready=never,
        once=True,
    )
    api = Service(
        name="api-server",
        command=(interpreter, "-m", "airflow", "api-server"),
        env=env,
        needs=("migration",),
        outlived_by=("postgres", "seaweedfs"),
        url=at.url("airflow"),
        ports=(at.port_of("airflow"),),
        ready=partial(answers, f"{at.url('airflow')}/api/v2/version"),
        bootstrap=partial(_warm, f"{at.url('airflow')}/execution/health"),
        grace_seconds=5,
    )
    # Scheduler and triggerer would serve the logs of what still runs on every interface: the same app does it here.
    logs = Service(
        name="logs",
        command=(
            *(interpreter, "-m", "uvicorn", "--factory", "airflow.utils.serve_logs.log_server:get_app"),
            *("--host", HOST, "--port", str(at.port_of("logs")), "--no-access-log"),
        ),
        env=env,
        needs=("migration",),
        url=at.url("logs"),
        ports=(at.port_of("logs"),),
        ready=partial(answers, f"{at.url('logs')}/openapi.json"),
        grace_seconds=5,
    )
    health = f"{at.url('airflow')}/api/v2/monitor/health"
    others = {
        "scheduler": ("sandbox.airflow.scheduler", "--skip-serve-logs"),
        "dag-processor": ("airflow", "dag-processor"),
        "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
    }
    return (
        migration,
        api,
        logs,
        *(
            Service(
                name=name,
                command=(interpreter, "-m", *words),
                env=env,
                needs=("migration",),
                outlived_by=around,
                ready=partial(_heartbeat, health, name.replace("-", "_")),
                beats=partial(_beats, health, name.replace("-", "_"), LATE_SECONDS[name]),
                silent_seconds=GIVEN_UP_SECONDS - LATE_SECONDS[name],
                hung_seconds=HUNG_SECONDS.get(name, GIVEN_UP_SECONDS),
                grace_seconds=5,  # tasks that still run then are killed, and run again after the next start
            )
            for name, words in others.items()
        ),
    )


def _warm(url: str) -> None:
    """Have the api-server build its execution API now (five seconds of work) and not when the first task calls."""
    urllib.request.urlopen(url, timeout=120).close()  # noqa: S310 (our own http URL)


def _configure(at: Endpoints) -> None:
    lines = []
    for section, options in settings(at).items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items()]
    write(at.home.airflow / "airflow.cfg", "\n".join([*lines, ""]))
    write(at.home.airflow / "passwords.json", json.dumps({USER: at.secrets.airflow_password}))


def _heartbeat(url: str, component: str, since: float) -> bool:
    """Whether the api-server has seen a heartbeat of the component after `since` (seconds since 1970)."""
    return (_newest(url, component) or 0) >= since


def _beats(url: str, component: str, late_seconds: float) -> bool | None:
    """Whether the component's newest heartbeat is in time; None while api-server or database cannot tell."""
    newest = _newest(url, component)
    return None if newest is None else newest >= time.time() - late_seconds


def _newest(url: str, component: str) -> float | None:
    """When the component's newest heartbeat was, in seconds since 1970; None if that is unknown."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 (our own http URL)
            beat = json.load(response).get(component, {}).get(f"latest_{component}_heartbeat")
    except (OSError, HTTPException, ValueError):  # not there, gone in the middle of its answer, no JSON
        return None
    return None if beat is None else datetime.fromisoformat(beat).timestamp()
