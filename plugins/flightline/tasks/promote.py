"""Tasks of `<use case>.promote`."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline import own_code
from flightline.failing import failing_fast
from include.foundation.errors import GateFailed, InvalidInput
from include.foundation.spec import UseCase, load


@task
@failing_fast
def choose(
    use_case: str, params: Mapping[str, Any], partition_key: str | None = None, ti: Any = None
) -> dict[str, Any]:
    """The version to promote: of the form, else of the asset's partition. Only one that passed its gates will do.

    What the asset brings must have been judged against today's champion: it may have waited while another was crowned.
    A person may go back to any version that passed.
    """
    from flightline.hooks.cluster import ClusterHook
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry
    from include.stages.registry.versions import JUDGED_AGAINST

    version = params["version"] or partition_key
    if not version:
        raise InvalidInput("give a version: this run was not started by a model that passed its gates")
    hook = MlflowHook()
    found, champion = registry.get(hook.get_conn(), use_case, version), registry.champion(hook.get_conn(), use_case)
    if found.gate != "passed":
        raise GateFailed(f"{use_case} version {version} has gate={found.gate}: only a version that passed is promoted")
    now, judged = champion.version if champion else "none", found.tags.get(JUDGED_AGAINST)
    if not params["version"] and now not in (version, judged):
        against = f"champion {judged}" if judged else "an unknown champion, by an older release"
        raise GateFailed(
            f"{use_case} version {version} was judged against {against}, but the champion is {now} now: "
            "run its gate again or promote it by hand"
        )
    ti.xcom_push("mlflow_version", hook.version_url(use_case, version))
    manifest = found.manifest()
    chosen = {
        "version": version,
        "uri": found.uri,
        "digest": found.digest,
        "manifest": manifest.digest,
        "image": manifest.serving_image or ClusterHook().serving_image,
        "trainer_image": manifest.image,
        "feature_code": manifest.feature_code or "",
        "run_id": manifest.run_id,
        "champion": champion.version if champion else None,
        "report": hook.read_text(found.run_id, "gates/report.md"),
    }
    own_code.require(use_case, chosen)
    return chosen


@task(task_display_name="record approval")
def record_approval(use_case: str, chosen: Mapping[str, Any], approval: Mapping[str, Any]) -> dict[str, str]:
    """Write who approved and when to the version."""
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry

    who = {"approved_by": approval["responded_by_user"]["name"], "approved_at": str(approval["responded_at"])}
    registry.tag(MlflowHook().get_conn(), use_case, chosen["version"], who)
    return who


@task.short_circuit
def wanted(use_case: str, stage: str, params: Mapping[str, Any]) -> bool:
    """Whether this run goes as far as the stage."""
    names = [stage.name for stage in load(use_case).promotion.stages]
    return names.index(stage) <= names.index(params["until"])


@task
@failing_fast
def render(use_case: str, stage: str, chosen: Mapping[str, Any], approval: Mapping[str, str]) -> dict[str, Any]:
    """The manifests of a stage, the Argo CD Application that applies them, and the commit's message."""
    from airflow.sdk import BaseHook

    from flightline.hooks.gitops import public
    from include.stages.promotion import manifests

    spec, place = _place(use_case, stage)
    gitops = BaseHook.get_connection("gitops")
    url = public(str(gitops.extra_dejson.get("argocd_repo_url", gitops.host)))  # Argo CD has credentials of its own
    return {
        "files": manifests.render(
            spec,
            place,
            model_uri=chosen["uri"],
            digest=chosen["digest"],
            version=chosen["version"],
            image=chosen["image"],
            manifest_digest=chosen["manifest"],
            feature_code=chosen["feature_code"],
            run_id=chosen["run_id"],
        ),
        "application": manifests.application(spec, place, url),
        "message": f"Deploy {use_case} version {chosen['version']} to {stage}\n\n"
        f"Model-Digest: sha256:{chosen['digest']}\nRun-Manifest: sha256:{chosen['manifest']}\n"
        f"Approved-By: {approval['approved_by']} at {approval['approved_at']}\n",
    }


@task
@failing_fast
def smoke(use_case: str, stage: str, chosen: Mapping[str, Any], ti: Any = None) -> dict[str, Any]:
    """Ask the deployed endpoint for real requests and compare with what the model file answers offline."""
    from dataclasses import asdict

    from flightline.hooks.cluster import ClusterHook
    from include.stages.promotion.smoke import smoke as ask

    spec, place = _place(use_case, stage)
    url = ClusterHook().service_url(spec.slug, place.namespace)
    ti.xcom_push("endpoint", url)
    records, expected = own_code.sample(use_case, chosen)
    return asdict(ask(url, spec, digest=chosen["digest"], records=records, expected=expected))


@task
@failing_fast
def crown(use_case: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Make the version the champion. Nothing else sets this alias."""
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry

    before = registry.set_champion(MlflowHook().get_conn(), use_case, chosen["version"])
    return {"champion": chosen["version"], "previous": before.version if before else None}


@task(trigger_rule="one_failed")
def undo(use_case: str, ti: Any = None) -> list[str]:
    """After a failure: the Applications that this run may have synced, the latest stage first.

    A commit that failed may have arrived, with only its answer lost. Restoring what did not is harmless.
    """
    spec, states = load(use_case), _states(ti)

    def tried(step: str) -> list[str]:
        stages = [stage.name for stage in spec.promotion.stages]
        return [stage for stage in reversed(stages) if states.get(f"{stage}.{step}") in ("success", "failed")]

    if not tried("commit"):
        raise AirflowSkipException("nothing was committed, so there is nothing to take back")
    return [spec.application(stage) for stage in tried("sync")]


@task(trigger_rule="all_done")
def report_failure(use_case: str, ti: Any = None) -> None:
    """Fail with the reason and with what was done about it, whatever failed; skipped when nothing did.

    It is the Dag's last task, so without it a run in which something failed would count as a success.
    """
    states = _states(ti)
    failed = sorted(name for name, state in states.items() if state == "failed")
    if not failed:
        raise AirflowSkipException("nothing failed")
    chosen = ti.xcom_pull(task_ids="choose") or {}
    # A run that was cleared still has what its last life left in XCom.
    restored = ti.xcom_pull(task_ids="revert.restore") if states.get("revert.restore") == "success" else None
    reasons = "; ".join(f"{name}: {ti.xcom_pull(task_ids=name, key='reason') or 'see its log'}" for name in failed)
    if any(name.startswith("revert.") for name in failed):
        raise AirflowException(f"PROMOTION FAILED AND WAS NOT TAKEN BACK, act by hand. {reasons}")
    done = f"its commits are reverted by {restored['commit'][:12]}" if restored else "nothing had been committed"
    champion = (chosen["champion"] or "none") if chosen else "as it was"
    raise AirflowFailException(
        f"{use_case} version {chosen.get('version', '?')} was not promoted, and {done}; "
        f"the champion is still {champion}. {reasons}"
    )


def keep_reason(context: Any) -> None:
    """`on_failure_callback`: keep why a task failed where `report_failure` finds it."""
    context["ti"].xcom_push("reason", str(context.get("exception"))[:1000])


def _states(ti: Any) -> dict[str, str | None]:
    """State of each task of this run; of a mapped one the id ends in `_<index>`."""
    states: dict[str, str | None] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    return states


def _place(use_case: str, stage: str) -> tuple[UseCase, Any]:
    spec = load(use_case)
    return spec, next(place for place in spec.promotion.stages if place.name == stage)
