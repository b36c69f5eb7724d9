"""`make loop`: the world changes, the platform notices, trains again, brings the new version on, and refuses a bad one.

Eight weeks of real flights arrive after the champion's training. It is asked about the last week's, each answer goes
through the stream to the lake, and labels mature. The monitor holds all weeks against what was ordinary, tries whether
a new training would help, and asks for one; the new version comes on step by step while clients keep asking. Then a
slow candidate is promoted, and taken back. Afterwards: a table of what happened.
"""

import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl

from include.foundation.lake import Lake
from include.foundation.spec import UseCase, module
from include.stages import registry
from include.stages.features.silver import Silver
from include.stages.registry.versions import REJECTED
from sandbox.airflow.config import USER
from sandbox.demo import tracking
from sandbox.demo.following_day import BATCH, endpoint, next_day, to_records
from sandbox.demo.landing import land
from sandbox.demo.planted import FAULT, plant
from sandbox.demo.traffic import Traffic
from sandbox.demo.watch import Runs, Watch, failures
from sandbox.endpoints import Endpoints
from sandbox.supervisor.service import SandboxError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ASKED_DAYS = 7


class Story:
    """What happened, in order, and whether it was as it must be."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self._rows: list[tuple[str, float, str]] = []
        self._last = time.monotonic()

    def tell(self, step: str, what: str) -> None:
        """A step has ended."""
        now = time.monotonic()
        self._rows.append((step, now - self._last, what))
        self._last = now

    def expect(self, found: object, wanted: str) -> None:
        """Say at the end what did not come about."""
        if not found:
            self.missing.append(wanted)

    def __str__(self) -> str:
        """A table in Markdown."""
        rows = [f"| {step} | {seconds:.0f} | {what} |" for step, seconds, what in self._rows]
        return "\n".join(["| step | seconds | what happened |", "|---|---:|---|", *rows])


def loop(at: Endpoints, watch: Watch) -> int:
    """Live through it. Returns the exit code: 0 only if all of it came about.

    Raises:
        SandboxError: there is no champion to begin with.
    """
    spec, story, lake = watch.spec, Story(), Lake.from_env(at.trainer_env)
    client = tracking.client(at)
    before = registry.champion(client, spec.name)
    if before is None:
        raise SandboxError(f"{spec.name} has no champion yet: run make demo first")
    _weeks(at, watch, story, lake)
    records = _ask(at, watch, story, lake)
    _stream(watch, story)
    with Traffic(endpoint(at, spec), spec.name, records) as traffic:
        seen = _monitor(watch, story)
        after = _champion(client, spec)
        if seen.get("train"):
            story.tell("rollout", f"{traffic}; the champion is version {after}")
        story.expect(after != before.version, "a training that drift asked for, whose version became champion")
        story.expect(not traffic.failed, f"no failed request (there were {dict(traffic.failed)})")
    with Traffic(endpoint(at, spec), spec.name, records) as traffic:
        _bad_candidate(at, watch, story, client)
    story.tell("meanwhile", str(traffic))
    story.expect(not traffic.failed, f"no failed request beside a bad candidate (there were {dict(traffic.failed)})")
    story.expect(_champion(client, spec) == after, "the champion outlives the bad candidate")
    lines = [
        *("", str(story), ""),
        f"Airflow   {at.url('airflow')}   login {USER}, password {at.secrets.airflow_password}",
        f"MLflow    {at.url('mlflow')}/#/models/{spec.name}",
        "deploys, lead time, failures: .venv/airflow/bin/python -m include.steps deploys --help",
        *([f"\nNOT COMPLETE, missing: {'; '.join(story.missing)}"] if story.missing else []),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(story.missing))


def _weeks(at: Endpoints, watch: Watch, story: Story, lake: Lake) -> None:
    """Twice as many days as a challenger is compared on, so that it can learn from those before."""
    spec, first = watch.spec, next_day(lake, watch.spec)
    last = first + timedelta(days=2 * spec.monitoring.compare_days - 1)
    land(at, watch.show, first, last)
    since = datetime.now(UTC)
    watch.api.trigger(f"{spec.name}.ingest", {"start_date": str(first), "end_date": str(last)})
    runs = watch.settle(since, ("ingest", "features", "train"))
    story.expect(not failures(runs), f"no failed run ({', '.join(failures(runs))})")
    told = "; ".join(f"{stage}: {watch.what(stage, run)}" for stage, found in runs.items() for run in found)
    story.tell(f"{first} to {last}", told)


def _ask(at: Endpoints, watch: Watch, story: Story, lake: Lake) -> list[dict[str, Any]]:
    """Ask the champion about the newest week's flights, each as of its own moment; returns the questions."""
    spec, silver = watch.spec, Silver.current(lake, watch.spec)
    last = silver.days[-1]
    first = last - timedelta(days=ASKED_DAYS - 1)
    rows = module(spec.name, "features").requests(silver.read(first, last))
    records = to_records(spec, rows.filter(pl.col("event_date").is_between(first, last)).sort("event_time", "id"))
    with httpx.Client(base_url=f"{endpoint(at, spec)}/v1/models/{spec.name}", timeout=60) as http:
        for number in range(0, len(records), BATCH):
            http.post("/predict", json={"records": records[number : number + BATCH]}).raise_for_status()
    story.tell("questions", f"{len(records):,} about {first} to {last}, each answer to the prediction log")
    return records


def _stream(watch: Watch, story: Story) -> None:
    """The log's stream to the lake, joined with labels."""
    run = _by_hand(watch, "predictions")
    read, joined = (watch.xcom("predictions", run, task) or {} for task in ("consume", "join"))
    story.expect(joined.get("labelled"), "logged answers with a label")
    told = "{:,} messages read, {:,} in quarantine; {:,} of {:,} answers have a label by now"
    numbers = (read.get("messages", 0), read.get("quarantined", 0), joined.get("labelled", 0), joined.get("rows", 0))
    story.tell("stream", told.format(*numbers))


def _monitor(watch: Watch, story: Story) -> dict[str, Any]:
    """The monitor's verdict, and what it starts."""
    since = datetime.now(UTC)
    seen = watch.xcom("monitor", _by_hand(watch, "monitor"), "watch") or {}
    signals = ", ".join(seen.get("signals", ())) or "no signal"
    skew = seen.get("skew")
    story.tell(
        "monitor",
        f"{signals} ({seen.get('metric')} {seen.get('value') or float('nan'):.4f} in the newest week; skew "
        f"{'unknown' if skew is None else f'{skew:g}'}); {'training' if seen.get('train') else 'no training'}: "
        f"{seen.get('reason')}",
    )
    story.expect(skew == 0, "answers of the same features as gold has, to the bit")
    runs = watch.settle(since, ("train", "promote"))
    for stage, run in _each(runs):
        story.tell(stage, f"{run['state']}: {watch.what(stage, run)}")
    return seen


def _bad_candidate(at: Endpoints, watch: Watch, story: Story, client: "MlflowClient") -> None:
    version = plant(at, watch.spec, client)
    watch.show.say(f"planted version {version}: the champion's model in an image that answers slowly")
    since = datetime.now(UTC)
    watch.api.trigger(f"{watch.spec.name}.promote", {"version": version})
    runs = watch.settle(since, ("promote",))
    reason = registry.get(client, watch.spec.name, version).tags.get(REJECTED)
    story.expect(reason, f"version {version} is rejected")
    for _, run in _each(runs):
        took = _took_back(watch, run)
        story.expect(took is not None, "what was deployed is taken back")
        told = f"version {version} rejected: {reason}" if reason else f"version {version}: {run['state']}"
        story.tell(f"a candidate that is {FAULT}", f"{told}; taken back in {took or float('nan'):.1f} s")


def _took_back(watch: Watch, run: dict[str, Any]) -> float | None:
    """Seconds from the verdict to the end of the revert; None if there was none."""
    tasks = watch.api.tasks(f"{watch.spec.name}.promote", run["dag_run_id"])
    verdicts = [task["end_date"] for task in tasks if task["state"] == "failed" and "observe" in task["task_id"]]
    reverted = [
        task["end_date"] for task in tasks if task["state"] == "success" and task["task_id"].startswith("revert.")
    ]
    if not verdicts or not reverted:
        return None
    return (datetime.fromisoformat(max(reverted)) - datetime.fromisoformat(min(verdicts))).total_seconds()


def _by_hand(watch: Watch, stage: str) -> dict[str, Any]:
    """Start a Dag as a person does, and wait for its end."""
    dag_id = f"{watch.spec.name}.{stage}"
    run_id = watch.api.trigger(dag_id)
    for task in watch.api.follow(dag_id, run_id):
        watch.show.task(dag_id, {"dag_run_id": run_id}, task)
    return watch.api.run(dag_id, run_id)


def _each(runs: Runs) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((stage, run) for stage, found in runs.items() for run in found)


def _champion(client: "MlflowClient", spec: UseCase) -> str | None:
    found = registry.champion(client, spec.name)
    return found.version if found else None
