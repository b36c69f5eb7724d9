"""Tasks of `<use case>.train`."""

import json
import logging
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, task

from flightline import assets, lineage, notes
from flightline.failing import failing_fast
from include.foundation.errors import GateFailed
from include.foundation.spec import load

if TYPE_CHECKING:
    from include.stages.observability.pushed import Pushed

log = logging.getLogger(__name__)


@task.short_circuit
@failing_fast
def due(use_case: str, dag_run: Any = None, triggering_asset_events: Any = None, ti: Any = None) -> bool:
    """Whether the spec's policy asks for a new version; a run started by hand or by `retrain` always goes on."""
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from include.foundation.evidence.manifest import DIGEST_TAG
    from include.foundation.lake import tables
    from include.stages import registry
    from include.stages.training import policy

    spec = load(use_case)
    # Not by `in`, which is true of any asset in the mapping that Airflow gives.
    if dag_run.run_type == "manual" or triggering_asset_events.get(assets.retrain(spec)):
        log.info("training: asked for")
        return True
    newest = registry.newest(MlflowHook().get_conn(), use_case, tagged=DIGEST_TAG)
    verdict, reason = policy.due(
        spec.training.policy,
        days=tables.days(LakeHook().lake, spec.gold),
        trained_until=newest.manifest().window.end if newest else None,
    )
    notes.say(ti, "%s: %s", "training" if verdict else "not training", reason)
    return verdict


@task
@failing_fast
def freeze(
    use_case: str, params: Mapping[str, Any], triggering_asset_events: Any = None, ti: Any = None
) -> dict[str, Any]:
    """Pin data and settings, open the MLflow run and the tuning experiment of exactly these, or rejoin them."""
    from flightline.backends import backend
    from flightline.hooks.cluster import ClusterHook
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from flightline.hooks.sigopt import SigOptHook
    from include.foundation.lake import tables
    from include.stages import registry
    from include.stages.training import runs
    from include.steps.prepare import prepare

    spec, lake, mlflow = load(use_case), LakeHook().lake, MlflowHook()
    champion = registry.champion(mlflow.get_conn(), use_case)  # raises where it got lost: the gate would, after trials
    ti.xcom_push("champion", champion.version if champion else "none")
    days, place = tables.days(lake, spec.gold), backend(spec.training.backend)
    end = date.fromisoformat(params["end_date"]) if params["end_date"] else days[-1] if days else None
    start = end - timedelta(days=params["window_days"] - 1) if end and params["window_days"] else None
    prepared = prepare(
        use_case,
        client=mlflow.get_conn(),
        connection=SigOptHook().get_conn(),
        lake=lake,
        image=place.image(place.default_conn_id, spec.training.runtime),
        serving_image=ClusterHook().serving_image,
        start=max(start, days[0]) if start and days else None,
        end=end,
        trials=params["trials"],
        parallelism=params["parallelism"],
        seed=params["seed"],
        rerun=params["rerun"],
    )
    ti.xcom_push("mlflow_run", mlflow.run_url(prepared["run_id"]))
    if asked := triggering_asset_events.get(assets.retrain(spec)):
        runs.log(
            mlflow.get_conn(),
            prepared["run_id"],
            tags={runs.REASON: str(asked[-1].extra.get("reason", "asked for"))[:1000]},
        )
    frozen = prepared["frozen"]
    notes.say(
        ti,
        "frozen: gold of %s to %s at snapshot %s, judged from %s on; %s trials, seed %s",
        *(frozen["window"][day] for day in ("start", "end")),
        frozen["snapshot_id"],
        frozen["window"]["holdout_start"],
        *(frozen[name] for name in ("trials", "seed")),
    )
    return prepared


@task
def workers(prepared: Mapping[str, Any], params: Mapping[str, Any]) -> list[list[str]]:
    """One command line a worker; a worker keeps its name when it is retried, and so finds what it left open."""
    log.info("%d pods share the trials", params["parallelism"])
    return [
        ["trial", "--run-id", prepared["run_id"], "--worker", f"worker-{number}"]
        for number in range(params["parallelism"])
    ]


@task
@failing_fast
def register(use_case: str, prepared: Mapping[str, Any], ti: Any = None) -> str:
    """Register the fitted model as a version, with the run manifest as its tags.

    The champion of this moment goes to XCom: the gate judges against it, and is another job when it changes.
    """
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry

    mlflow = MlflowHook()
    description = load(use_case).description
    version = registry.register(
        mlflow.get_conn(),
        use_case,
        run_id=prepared["run_id"],
        description=description,
        tags={registry.versions.DAG_RUN: ti.run_id},
    ).version
    ti.xcom_push("mlflow_version", mlflow.version_url(use_case, version))
    champion = registry.champion(mlflow.get_conn(), use_case)
    ti.xcom_push("champion", champion.version if champion else "none")
    if lineage.active():
        from flightline.hooks.lake import LakeHook

        gold = lineage.table(LakeHook().lake, load(use_case).gold, prepared["frozen"]["snapshot_id"])
        lineage.tell(ti, inputs=[gold], outputs=[lineage.model(mlflow.url, use_case, version)])
    notes.say(
        ti,
        "version %s is registered, to be judged against %s",
        *(version, f"champion {champion.version}" if champion else "no champion"),
    )
    return version


@task
@failing_fast
def verdict(
    use_case: str, prepared: Mapping[str, Any], version: str, outlet_events: Any = None, ti: Any = None
) -> None:
    """Show the gates' report; announce the version if it passed and is not the champion, fail if it did not.

    Raises:
        GateFailed: a gate failed, or there is no verdict.
    """
    from flightline.hooks.mlflow import MlflowHook
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.stages import registry
    from include.stages.observability import pushed
    from include.stages.training import usage

    mlflow = MlflowHook()
    for line in mlflow.read_text(prepared["run_id"], "gates/report.md").splitlines():
        log.info("%s", line)
    found = registry.get(mlflow.get_conn(), use_case, version)
    gate, metrics = found.gate, found.manifest().metrics
    took = _took(load(use_case).training.backend, usage.total(mlflow.get_conn(), prepared["run_id"]))
    PushgatewayHook().push(ti, {pushed.TRAINED_VALUE: metrics, pushed.TRAINED_GATES: float(gate == "passed"), **took})
    if gate != "passed":
        why = _failures(mlflow.read_text(prepared["run_id"], "gates/report.json"))
        raise GateFailed(f"{use_case} version {version} is not for promotion: {why or f'gate={gate}'}")
    champion = registry.champion(mlflow.get_conn(), use_case)
    if champion and champion.version == version:  # its approval was given: there is nothing to ask a person
        notes.say(ti, "version %s is the champion already; raise `rerun` in the form to train once more", version)
        return
    event = outlet_events[assets.model(load(use_case))]
    event.add_partitions(version)
    event.extra = {"version": version, "run": prepared["run_id"], "window": prepared["frozen"]["window"]}
    notes.say(ti, "version %s passed its gates", version)


def _failures(report: str) -> str:
    """The gates of a report that failed, each with what it saw; an error is read where no table stands above it."""
    failed = [gate for gate in json.loads(report)["gates"] if not gate["passed"]]
    return "; ".join(f"gate {gate['name']}: {gate['detail']}" for gate in failed)


def _took(system: str, total: Mapping[str, float]) -> "dict[Pushed, float]":
    """What is pushed of a training's jobs: nothing where they said nothing, no cost where nobody says a price."""
    from flightline.backends import backend
    from include.stages.observability import pushed

    if not total:
        return {}
    took = {pushed.TRAINED_SECONDS: total["seconds"], pushed.TRAINED_GPU_SECONDS: total["gpu_seconds"]}
    price = BaseHook.get_connection(backend(system).default_conn_id).extra_dejson.get("hour_price")
    if isinstance(price, int | float):
        took[pushed.TRAINED_COST] = price * total["seconds"] / 3600
    return took
