"""The demo: real files land, the real Dags take them to a serving champion, and it is asked about the following day.

    python -m sandbox.demo                 January to April, then questions about the following day
    python -m sandbox.demo --use-case digits
    python -m sandbox.demo play --days 7   the next seven days, one run a day, as the schedule would
    python -m sandbox.demo loop            the next eight weeks: drift, a new champion, a bad candidate (`loop.py`)

Runs in Airflow's environment against a sandbox that is up. It does nothing that a person could not do in the UI: it
triggers the use case's `ingest`, answers the approval, and watches; the Dags start each other.
"""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from include.foundation.errors import FlightlineError
from include.foundation.lake import Lake
from include.foundation.spec import UseCase, load
from sandbox import metrics
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.config import USER
from sandbox.demo.data import data, names
from sandbox.demo.following_day import Answers, ask, next_day
from sandbox.demo.landing import USE_CASE, land
from sandbox.demo.loop import loop
from sandbox.demo.show import Show
from sandbox.demo.watch import STAGES, Runs, Watch, failures
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import SandboxError

PATIENCE_SECONDS = 120  # a killed PostgreSQL or api-server is back by then


def summary(at: Endpoints, watch: Watch, runs: Runs, answers: Answers | None) -> str:
    """What happened, as a table; then where to look."""
    lines = ["", "| step | run | state | seconds | what |", "|---|---|---|---:|---|"]
    for stage, found in runs.items():
        for run in found:
            what = watch.what(stage, run)
            name = run.get("partition_key") or (run.get("logical_date") or "by hand")[:10]
            lines.append(f"| {stage} | {name} | {run['state']} | {run['duration'] or 0:.1f} | {what} |")
    champion = _champion(at, watch.spec)
    if champion:
        shown = ", ".join(f"{name} {value:.4f}" for name, value in sorted(champion["metrics"].items()))
        lines += ["", f"champion: version {champion['version']}, sha256 {champion['digest'][:16]}…", f"  {shown}"]
    if answers:
        lines += ["", *answers.lines()]
    lines += [
        "",
        f"Airflow   {at.url('airflow')}   login {USER}, password {at.secrets.airflow_password}",
        f"MLflow    {at.url('mlflow')}/#/models/{watch.spec.name}",
        f"Argo CD   {at.url('argocd')}   login admin, password {at.secrets.argocd_password}",
        *([f"Endpoint  {answers.url}   (each replica's own metrics: {answers.url}/metrics)"] if answers else []),
        f"Metrics   {at.url('prometheus')}/alerts"
        if metrics.programs()
        else f"Metrics   none: Prometheus is not installed (Debian: {' '.join(metrics.PACKAGES)})",
        "stop: make down   next days: make play DAYS=7   drift and a new champion: make loop   more: make help",
    ]
    return "\n".join(lines)


def _champion(at: Endpoints, spec: UseCase) -> dict[str, Any] | None:
    """Version, digest and holdout metrics of the champion; None if there is none."""
    with httpx.Client(base_url=f"{at.url('mlflow')}/api/2.0/mlflow", timeout=30) as mlflow:
        answer = mlflow.get("/registered-models/alias", params={"name": spec.name, "alias": "champion"})
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


def demo(at: Endpoints, watch: Watch) -> int:
    """The whole way. Returns the exit code: 0 only if a champion serves and has answered."""
    spec, raw = watch.spec, data(watch.spec.name)
    land(at, watch.show, raw.FIRST, raw.DEMO_LAST, use_case=spec.name)
    since = datetime.now(UTC)
    watch.api.trigger(f"{spec.name}.ingest", {"start_date": str(raw.FIRST), "end_date": str(raw.DEMO_LAST)})
    watch.show.say(
        f"triggered {spec.name}.ingest for {raw.FIRST} to {raw.DEMO_LAST}; everything after it starts by its assets"
    )
    runs = watch.settle(since)
    answers = None
    if _champion(at, spec):
        following = next_day(Lake.from_env(at.trainer_env), spec)
        land(at, watch.show, following, following, use_case=spec.name)
        answers = ask(at, spec, following)
    sys.stdout.write(summary(at, watch, runs, answers) + "\n")
    failed = failures(runs)
    if failed or answers is None:
        sys.stdout.write(f"\nNOT COMPLETE: {'failed: ' + ', '.join(failed) if failed else 'no champion serves'}\n")
        return 1
    return 0


def play(at: Endpoints, watch: Watch, days: int) -> int:
    """Land the next days and run the schedule's own runs on them, by a backfill."""
    spec = watch.spec
    first = next_day(Lake.from_env(at.trainer_env), spec)
    last = first + timedelta(days=days - 1)
    land(at, watch.show, first, last, use_case=spec.name)
    since = datetime.now(UTC)
    watch.api.backfill(f"{spec.name}.ingest", first=str(first), last=str(last))
    watch.show.say(f"backfill of {spec.name}.ingest from {first} to {last}, one run a day")
    runs = watch.settle(since)
    sys.stdout.write(summary(at, watch, runs, None) + "\n")
    return int(bool(failures(runs)))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--use-case", default=USE_CASE, help=f"one of {', '.join(names())} (default {USE_CASE})")
    commands = parser.add_subparsers(dest="command")
    player = commands.add_parser("play", help="land the next days and let the Dags run on them")
    player.add_argument("--days", type=int, default=1, help="how many days (default 1)")
    commands.add_parser("loop", help="eight weeks: drift, a new champion, a bad candidate")
    options = parser.parse_args(arguments)
    at, show = Endpoints.from_env(), Show()
    login = {"username": USER, "password": at.secrets.airflow_password}
    api = AirflowApi(url=at.url("airflow"), patience=PATIENCE_SECONDS, **login)
    try:
        spec = load(options.use_case)
        data(spec.name)
        show.say("waiting for Airflow to parse the Dags")
        api.wait_for_dags(*(f"{spec.name}.{stage}" for stage in STAGES))
        watch = Watch(api, spec, show)
        if options.command == "play":
            return play(at, watch, options.days)
        return loop(at, watch) if options.command == "loop" else demo(at, watch)
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
