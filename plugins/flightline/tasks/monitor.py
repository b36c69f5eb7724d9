"""What the Dag `monitor` does."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowSkipException

from flightline import assets, notes
from flightline.failing import failing_fast
from include.foundation.errors import MissingInput
from include.foundation.spec import load


@task.short_circuit
@failing_fast
def due(use_case: str, dag_run: Any = None, ti: Any = None) -> bool:
    """Whether there is a champion, and a whole window of gold since its training that was not looked at yet.

    A run by hand looks again.

    Raises:
        AirflowFailException: a run by hand has nothing to look at: it would be green and have done nothing.
    """
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from include.foundation.evidence.manifest import DIGEST_TAG
    from include.foundation.lake import tables
    from include.stages import registry
    from include.stages.registry.versions import MONITORED

    spec, lake, client = load(use_case), LakeHook().lake, MlflowHook().get_conn()
    version = registry.champion(client, use_case)
    by_hand = dag_run.run_type == "manual"
    if version is None:
        return notes.nothing(ti, "there is no champion to watch: promote a version first", by_hand=by_hand)
    days = tables.days(lake, spec.gold)
    until, length = version.manifest().window.end, spec.monitoring.window_days
    windows = max(((days[-1] - until).days if days else 0) // length, 0)
    newest = until + timedelta(days=windows * length)
    if not windows:
        ends = days[-1] if days else "-"
        reason = f"gold ends on {ends}: no whole window of {length} days since {until}"
        return notes.nothing(ti, reason, by_hand=by_hand)
    if version.tags.get(MONITORED, "").startswith(f"{newest}:") and not by_hand:
        return notes.nothing(ti, f"the windows up to {newest} were looked at")
    try:
        log = tables.current_snapshot_id(lake, spec.predictions_table)
    except MissingInput:
        log = None
    gold = tables.current_snapshot_id(lake, spec.gold)
    trained = registry.newest(client, use_case, tagged=DIGEST_TAG)
    seen = f"version {version.version}, trained up to {trained and trained.version}, gold {gold}, predictions {log}"
    ti.xcom_push("input", f"{seen}, asked in {ti.run_id}" if by_hand else seen)
    return True


@task
def verdict(use_case: str, seen: Mapping[str, Any], ti: Any = None) -> None:
    """Say what was seen, and what follows."""
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.foundation.spec.monitoring import SIGNALS
    from include.stages.observability import pushed

    PushgatewayHook().push(
        ti,
        {
            **({pushed.WINDOW_VALUE: {seen["metric"]: seen["value"]}} if seen["value"] is not None else {}),
            **({pushed.WINDOW_SKEW: seen["skew"]} if seen["skew"] is not None else {}),
            pushed.WINDOW_ANSWERS: seen["answers"],
            pushed.WINDOW_DRIFTED: len(seen["drifted"]),
            pushed.WINDOW_SIGNAL: {name: float(name in seen["signals"]) for name in SIGNALS},
            pushed.RETRAINING: float(seen["train"]),
        },
    )
    notes.say(
        ti,
        "%s version %s, %s to %s: %s; %s: %s",
        *(use_case, seen["champion"], seen["start"], seen["end"], ", ".join(seen["signals"]) or "ordinary"),
        *("training again" if seen["train"] else "no training", seen["reason"]),
    )


@task
def retrain(use_case: str, seen: Mapping[str, Any], outlet_events: Any = None) -> None:
    """Ask `train` for a new version, with the reason; skipped where none is wanted."""
    if not seen["train"]:
        raise AirflowSkipException(seen["reason"])
    event = outlet_events[assets.retrain(load(use_case))]
    event.add_partitions([seen["end"]])
    event.extra = {"champion": seen["champion"], "reason": seen["reason"]}
