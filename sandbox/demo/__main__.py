"""The demo: real files land, the real Dags take them to a serving champion, and it is asked about the following day.

    python -m sandbox.demo                 January to April, then questions about the following day
    python -m sandbox.demo play --days 7   the next seven days, one run a day, as the schedule would

Runs in Airflow's environment against a sandbox that is up. It does nothing that a person could not do in the UI: it
triggers `flight_delays.ingest`, answers the approval, and watches; the Dags start each other.
"""

import argparse
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from include.foundation.errors import FlightlineError
from include.foundation.lake import Lake, tables
from include.foundation.spec import load
from sandbox import metrics
from sandbox.airflow.api import DONE, AirflowApi
from sandbox.airflow.config import USER
from sandbox.demo.following_day import Answers, ask
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import REPO, SandboxError, python

SPEC = load("flight_delays")
BUSY = {"queued", "scheduled", "running", "deferred"}
STAGES = ("ingest", "features", "train", "promote")
FIRST, LAST = date(2013, 1, 1), date(2013, 4, 30)
STILL_SECONDS = 15
PATIENCE_SECONDS = 120  # a killed PostgreSQL or api-server is back by then
QUIET_SECONDS = 8  # the scheduler needs a moment to start the next Dag after an asset changed


class Show:
    """Prints each step once, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._seen: set[tuple[Any, ...]] = set()

    def say(self, text: str) -> None:
        """A line of progress."""
        self._last = time.monotonic()
        sys.stdout.write(f"{self._last - self._start:6.1f} s  {text}\n")
        sys.stdout.flush()

    def still(self, busy: list[str]) -> None:
        """What is being waited for, when nothing was said for a while."""
        if busy and time.monotonic() - self._last > STILL_SECONDS:
            self.say(f"  still running: {', '.join(busy)}")

    def task(self, dag_id: str, run: dict[str, Any], task: dict[str, Any]) -> None:
        """A task instance that has ended, once."""
        key = (dag_id, run["dag_run_id"], task["task_id"], task["map_index"], task["try_number"], task["state"])
        if task["state"] in {"success", "failed", "upstream_failed", "up_for_retry"} and key not in self._seen:
            self._seen.add(key)
            part = f" {run['partition_key']}" if run.get("partition_key") else ""
            number = f"[{task['map_index']}]" if task["map_index"] >= 0 else ""
            self.say(f"{dag_id}{part}: {task['task_id']}{number} {task['state']} ({task['duration'] or 0:.1f} s)")


def settle(api: AirflowApi, show: Show, since: datetime, *, timeout: float = 1200) -> dict[str, list[dict[str, Any]]]:
    """Watch until no run that began after `since` is unfinished and no new one appears; answers approvals.

    Returns:
        The runs by stage, oldest first.

    Raises:
        TimeoutError: it takes too long.
    """
    deadline, quiet_since = time.monotonic() + timeout, time.monotonic()
    count = -1
    while time.monotonic() < deadline:
        runs = {stage: _runs(api, stage, since) for stage in STAGES}
        busy: list[str] = []
        for stage, found in runs.items():
            for run in found:
                if run["state"] == "queued":
                    continue
                for task in api.tasks(f"{SPEC.name}.{stage}", run["dag_run_id"]):
                    show.task(f"{SPEC.name}.{stage}", run, task)
                    if task["state"] in BUSY and (name := f"{stage} {task['task_id']}") not in busy:
                        busy.append(name)
                    if task["task_id"] == "approve" and task["state"] == "awaiting_input":
                        show.say(f"answering the approval as {USER}, through the API: a person would do it in the UI")
                        api.approve(f"{SPEC.name}.promote", run["dag_run_id"], "approve")
        show.still(busy)
        total = sum(map(len, runs.values()))
        if total != count or any(run["state"] not in DONE for found in runs.values() for run in found):
            count, quiet_since = total, time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_SECONDS:
            return runs
        time.sleep(2)
    raise TimeoutError(f"the Dags are still busy after {timeout:.0f} s; look at {api.url}")


def _runs(api: AirflowApi, stage: str, since: datetime) -> list[dict[str, Any]]:
    found = api.runs(f"{SPEC.name}.{stage}")
    return [run for run in reversed(found) if datetime.fromisoformat(run["queued_at"]) >= since]


def land(at: Endpoints, show: Show, first: date, last: date) -> None:
    """Land the days' files, in the environment that holds the data package."""
    command = [str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", str(first), "--to", str(last)]
    process = subprocess.Popen(command, cwd=REPO, env=at.shell_env, stdout=subprocess.PIPE, text=True)
    for line in process.stdout or ():
        show.say(f"landing: {line.strip()}")
    if process.wait():
        raise SandboxError(f"landing failed with exit code {process.returncode}")


def summary(at: Endpoints, api: AirflowApi, runs: dict[str, list[dict[str, Any]]], answers: Answers | None) -> str:
    """What happened, as a table; then where to look."""
    lines = ["", "| step | run | state | seconds | what |", "|---|---|---|---:|---|"]
    for stage, found in runs.items():
        for run in found:
            what = _what(api, stage, run)
            name = run.get("partition_key") or (run.get("logical_date") or "by hand")[:10]
            lines.append(f"| {stage} | {name} | {run['state']} | {run['duration'] or 0:.1f} | {what} |")
    champion = _champion(at)
    if champion:
        shown = ", ".join(f"{name} {value:.4f}" for name, value in sorted(champion["metrics"].items()))
        lines += ["", f"champion: version {champion['version']}, sha256 {champion['digest'][:16]}…", f"  {shown}"]
    if answers:
        lines += ["", *answers.lines()]
    lines += [
        "",
        f"Airflow   {at.url('airflow')}   login {USER}, password {at.secrets.airflow_password}",
        f"MLflow    {at.url('mlflow')}/#/models/{SPEC.name}",
        f"Argo CD   {at.url('argocd')}   login admin, password {at.secrets.argocd_password}",
        *([f"Endpoint  {answers.url}   (each replica's own metrics: {answers.url}/metrics)"] if answers else []),
        f"Metrics   {at.url('prometheus')}/alerts"
        if metrics.programs()
        else f"Metrics   none: Prometheus is not installed (Debian: {' '.join(metrics.PACKAGES)})",
        "stop: make down   next days: make play DAYS=7   more: make help",
    ]
    return "\n".join(lines)


def _what(api: AirflowApi, stage: str, run: dict[str, Any]) -> str:
    dag_id, run_id = f"{SPEC.name}.{stage}", run["dag_run_id"]
    if stage == "ingest":
        totals = api.xcom(dag_id, run_id, "reconcile") or {}
        return "; ".join(
            f"{name} {rows['silver']:,} in silver, {rows['quarantined']} in quarantine" for name, rows in totals.items()
        )
    if stage == "features":
        built = api.xcom(dag_id, run_id, "build") or {}
        return f"{built['rows']:,} rows in gold" if built.get("rows") else "gold was up to date"
    if stage == "train":
        version = api.xcom(dag_id, run_id, "register")
        return f"version {version}" if version else "not due by the policy"
    promoted = api.xcom(dag_id, run_id, "set_champion")
    return f"champion is version {promoted['champion']}" if promoted else "not promoted"


def _champion(at: Endpoints) -> dict[str, Any] | None:
    """Version, digest and holdout metrics of the champion; None if there is none."""
    with httpx.Client(base_url=f"{at.url('mlflow')}/api/2.0/mlflow", timeout=30) as mlflow:
        answer = mlflow.get("/registered-models/alias", params={"name": SPEC.name, "alias": "champion"})
        if answer.is_error:
            return None
        version = answer.json()["model_version"]
        run = mlflow.get("/runs/get", params={"run_id": version["run_id"]}).raise_for_status().json()["run"]
    metrics = {each["key"]: each["value"] for each in run["data"].get("metrics", ())}
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    return {
        "version": version["version"],
        "digest": tags["model_digest"],
        "metrics": {name: value for name, value in metrics.items() if name.startswith("holdout_")},
    }


def demo(at: Endpoints, api: AirflowApi, show: Show) -> int:
    """The whole loop. Returns the exit code: 0 only if a champion serves and has answered."""
    land(at, show, FIRST, LAST)
    since = datetime.now(UTC)
    api.trigger(f"{SPEC.name}.ingest", {"start_date": str(FIRST), "end_date": str(LAST)})
    show.say(f"triggered {SPEC.name}.ingest for {FIRST} to {LAST}; everything after it starts by its assets")
    runs = settle(api, show, since)
    failed = [
        f"{stage} {run['dag_run_id']}" for stage, found in runs.items() for run in found if run["state"] == "failed"
    ]
    answers = None
    if _champion(at):
        following = next_day(_lake(at))
        land(at, show, following, following)
        answers = ask(at, SPEC, following)
    sys.stdout.write(summary(at, api, runs, answers) + "\n")
    if failed or answers is None:
        sys.stdout.write(f"\nNOT COMPLETE: {'failed: ' + ', '.join(failed) if failed else 'no champion serves'}\n")
        return 1
    return 0


def play(at: Endpoints, api: AirflowApi, show: Show, days: int) -> int:
    """Land the next days and run the schedule's own runs on them, by a backfill."""
    first = next_day(_lake(at))
    last = first + timedelta(days=days - 1)
    land(at, show, first, last)
    since = datetime.now(UTC)
    api.backfill(f"{SPEC.name}.ingest", first=str(first), last=str(last))
    show.say(f"backfill of {SPEC.name}.ingest from {first} to {last}, one run a day")
    runs = settle(api, show, since)
    sys.stdout.write(summary(at, api, runs, None) + "\n")
    return int(any(run["state"] == "failed" for found in runs.values() for run in found))


def next_day(lake: Lake) -> date:
    """The first day that is not ingested yet."""
    present = tables.days(lake, SPEC.table("silver", "flights"))
    return present[-1] + timedelta(days=1) if present else SPEC.schedule.start


def _lake(at: Endpoints) -> Lake:
    return Lake.from_env(at.trainer_env)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command")
    player = commands.add_parser("play", help="land the next days and let the Dags run on them")
    player.add_argument("--days", type=int, default=1, help="how many days (default 1)")
    options = parser.parse_args(arguments)
    at, show = Endpoints.from_env(), Show()
    login = {"username": USER, "password": at.secrets.airflow_password}
    api = AirflowApi(url=at.url("airflow"), patience=PATIENCE_SECONDS, **login)
    try:
        show.say("waiting for Airflow to parse the Dags")
        api.wait_for_dags(*(f"{SPEC.name}.{stage}" for stage in STAGES))
        return play(at, api, show, options.days) if options.command == "play" else demo(at, api, show)
    except (FlightlineError, SandboxError, TimeoutError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    except httpx.HTTPError as error:
        sys.stderr.write(
            f"{api.url}: {type(error).__name__}: {error}\nOnly the watching ended: Dags that were started go on by "
            "themselves. `make status` says what is down, `make up` mends it, and the same command watches again.\n"
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
