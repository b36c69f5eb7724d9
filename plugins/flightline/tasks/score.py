"""Tasks of `<use case>.score`."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from flightline import assets, notes, own_code, period
from flightline.failing import failing_fast
from include.foundation.errors import GateFailed
from include.foundation.spec import load


@task.short_circuit
@failing_fast
def choose(
    use_case: str, params: Mapping[str, Any], partition_key: str | None = None, dag_run: Any = None, ti: Any = None
) -> dict[str, Any] | bool:
    """The version that answers, in which image, and the days; False where there is nothing to score.

    Raises:
        AirflowFailException: there is no champion, or no row of these days, and a person asks for it; or the version
            did not pass its gates, or its image holds other code than the version's.
    """
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from include.foundation.errors import MissingInput
    from include.foundation.evidence import code
    from include.foundation.lake import tables
    from include.stages import registry
    from include.stages.scoring.pending import gold_now, pending

    spec, lake, mlflow = load(use_case), LakeHook().lake, MlflowHook()
    start, end = period.requested(params, spec, month=partition_key)
    client, asked = mlflow.get_conn(), params["version"]
    version = registry.get(client, use_case, asked) if asked else registry.champion(client, use_case)
    by_hand = dag_run.run_type == "manual"
    if version is None:
        return notes.nothing(ti, "there is no champion to score with: promote a version first", by_hand=by_hand)
    if asked and version.gate != "passed":
        raise GateFailed(f"{use_case} version {asked} has gate={version.gate}: only a version that passed scores")
    said = {"version": version.version, "digest": version.digest}
    try:
        snapshot_id = gold_now(lake, spec)
        days = pending(lake, spec, **said, snapshot_id=snapshot_id, start=start, end=end)
    except MissingInput as error:
        return notes.nothing(ti, str(error), by_hand=by_hand)
    if not days:
        return notes.nothing(ti, f"scores of {start} to {end} by version {version.version} were up to date")
    manifest, there = version.manifest(), lake.catalog().table_exists(spec.scores)
    chosen = {
        **said,
        "image": "",
        "snapshot": str(snapshot_id),
        "start": start.isoformat(),
        "end": end.isoformat(),
        # Where another version replaced the scores meanwhile, the same days are another job.
        "scores": str(tables.current_snapshot_id(lake, spec.scores) if there else None),
    }
    if manifest.feature_code not in (None, code.feature_code(use_case)):
        chosen["image"] = manifest.image
        own_code.require(use_case, {"image": manifest.image, "feature_code": manifest.feature_code})
    ti.xcom_push("mlflow_version", mlflow.version_url(use_case, version.version))
    return chosen


@task
def announce(use_case: str, scored: Mapping[str, Any], outlet_events: Any = None, ti: Any = None) -> None:
    """Say what was scored, and announce the months."""
    days = period.days(scored["start"], scored["end"])
    event = outlet_events[assets.scores(load(use_case))]
    event.add_partitions(sorted({day.strftime("%Y-%m") for day in days}))
    event.extra = {"days": period.words(days), "rows": scored["total"], "version": scored["version"]}
    notes.say(
        ti,
        "scores of %s by version %s: %s rows, %s of them scored now",
        *(period.words(days), scored["version"], f"{scored['total']:,}", f"{scored['rows']:,}"),
    )
