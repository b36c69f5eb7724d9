"""Tasks of a promotion's moves: what is committed for a stage, how it answers, and what is done when one fails."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline import notes, own_code
from flightline.failing import failing_fast
from include.foundation.spec import UseCase, load
from include.foundation.spec.promotion import Stage

if TYPE_CHECKING:
    from include.stages.promotion.routing import Split

log = logging.getLogger(__name__)


@task.short_circuit
def wanted(use_case: str, stage: str, params: Mapping[str, Any]) -> bool:
    """Whether this run goes as far as the stage."""
    goes = wanted_stage(load(use_case), stage, params["until"])
    log.info("the form says until %s: %s is %s", params["until"], stage, "wanted" if goes else "left as it is")
    return goes


def wanted_stage(spec: UseCase, stage: str, until: str) -> bool:
    """Whether a run that goes until a stage reaches another one."""
    names = [stage.name for stage in spec.promotion.stages]
    return names.index(stage) <= names.index(until)


@task.branch
def way(stage: str, chosen: Mapping[str, Any], first: str, last: str) -> str:
    """Step by step where another version serves, else at once.

    Args:
        stage: name.
        chosen: the version.
        first: the first step's first task.
        last: the first task of the move after which the version serves alone.
    """
    stable = chosen["stable"][stage]
    log.info(
        "%s serves %s: %s", stage, f"version {stable}" if stable else "no other version", first if stable else last
    )
    return first if stable else last


@task
@failing_fast
def render(
    use_case: str,
    stage: str,
    chosen: Mapping[str, Any],
    answer: Mapping[str, str],
    step: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The manifests of a stage, the Argo CD Application that applies them, and the commit's message.

    Args:
        use_case: name.
        stage: name.
        chosen: the version.
        answer: of the approver.
        step: `weight` and `mirror` beside the version that serves the stage; by default the chosen one serves alone.
    """
    from airflow.sdk import BaseHook

    from flightline.hooks.cluster import ClusterHook
    from flightline.hooks.gitops import GitOpsHook, public
    from include.stages.promotion import manifests
    from include.stages.promotion.routing import Split

    spec = load(use_case)
    place = _stage(spec, stage)
    gitops = BaseHook.get_connection("gitops")
    url = public(str(gitops.extra_dejson.get("argocd_repo_url", gitops.host)))  # Argo CD has credentials of its own
    split = Split(candidate=chosen["version"], stable=chosen["stable"][stage], **step) if step else alone(chosen)
    files = files_of(spec, place, chosen, split, GitOpsHook().read(spec.slug))
    share = f": {split.weight}% of the requests, a copy of {split.mirror}%" if step else ""
    log.info("%s version %s for %s: %s", use_case, chosen["version"], stage, ", ".join(files))
    return {
        "files": files,
        "application": manifests.application(spec, place, url, server=ClusterHook.of(place).destination),
        "message": f"Deploy {use_case} version {chosen['version']} to {stage}{share}\n\n"
        f"Model-Digest: sha256:{chosen['digest']}\nRun-Manifest: sha256:{chosen['manifest']}\n"
        f"Approved-By: {answer['by']} at {answer['at']}\n",
    }


@task
@failing_fast
def smoke(
    use_case: str, stage: str, chosen: Mapping[str, Any], *, itself: bool = False, ti: Any = None
) -> dict[str, Any]:
    """Ask the deployed endpoint for real requests and compare with what the model file answers offline.

    Args:
        use_case: name.
        stage: name.
        chosen: the version.
        itself: ask the version by its own Service; else whoever answers at the stage's address.
        ti: the task instance.
    """
    from flightline.hooks.cluster import ClusterHook
    from include.stages.promotion import templates
    from include.stages.promotion.smoke import smoke as ask

    spec = load(use_case)
    place = _stage(spec, stage)
    cluster = ClusterHook.of(place)
    own = templates.name(spec, chosen["version"])
    url = cluster.service_url(own, place.namespace) if itself else cluster.endpoint(spec, place)
    ti.xcom_push("endpoint", url)
    records, expected = own_code.sample(use_case, chosen)
    report = ask(url, spec, digest=chosen["digest"], records=records, expected=expected)
    log.info(
        "%s answers %d records as the model file does, in %.1f ms each (median; slowest %.1f ms)",
        *(url, report.records, report.median_ms, report.slowest_ms),
    )
    return asdict(report)


@task(trigger_rule="one_failed")
def undo(moves: Sequence[Mapping[str, str]], ti: Any = None) -> list[str]:
    """After a failure: the Applications that this run may have synced, the latest first."""
    from include.stages.promotion import policy

    applications = policy.to_take_back([policy.Move(**move) for move in moves], _states(ti))
    if applications is None:
        raise AirflowSkipException("nothing was committed, so there is nothing to take back")
    log.info("to be taken back, by a commit and a sync each: %s", ", ".join(applications) or "a commit only")
    return applications


@task(trigger_rule="all_done")
def report_failure(use_case: str, choose_id: str, restore_id: str, reverting: Sequence[str], ti: Any = None) -> None:
    """Fail with the reason and with what was done about it, whatever failed; skipped when nothing did.

    It is the Dag's last task, so without it a run in which something failed would count as a success.

    Args:
        use_case: name.
        choose_id: the task that chose the version.
        restore_id: the task that takes the commits back.
        reverting: all tasks that take back.
        ti: the task instance.
    """
    states = _states(ti)
    targets = load(use_case).promotion.targets  # copies of what serves: theirs takes nothing back
    failed = sorted(
        name for name, state in states.items() if state == "failed" and name.partition(".")[0] not in targets
    )
    if not failed:
        raise AirflowSkipException("nothing failed")
    # A run that was cleared still has what its last life left in XCom: only what succeeded in this one is reported.
    chosen = (ti.xcom_pull(task_ids=choose_id) if states.get(choose_id) == "success" else None) or {}
    restored = ti.xcom_pull(task_ids=restore_id) if states.get(restore_id) == "success" else None
    reasons = "; ".join(f"{name}: {_reason(ti, name, reverting) or 'see its log'}" for name in failed)
    if any(_instance(name, reverting) for name in failed):
        raise AirflowException(f"PROMOTION FAILED AND WAS NOT TAKEN BACK, act by hand. {reasons}")
    version = f"{use_case} version {chosen['version']}" if chosen else f"no version of {use_case}"
    was = "was not promoted" if chosen else "was promoted"
    done = f"its commits are reverted by {restored['commit'][:12]}" if restored else "nothing had been committed"
    champion = (chosen["champion"] or "none") if chosen else "as it was"
    raise AirflowFailException(f"{version} {was}, and {done}; the champion is still {champion}. {reasons}")


def _instance(name: str, mapped: Sequence[str]) -> tuple[str, int] | None:
    """A task of `mapped` and its index, of a name as in `_states`; -1 if the task is not mapped, None if it is none."""
    for task_id in mapped:
        if found := re.fullmatch(rf"{re.escape(task_id)}(?:_(\d+))?", name):
            return task_id, int(found[1] or -1)
    return None


def _reason(ti: Any, name: str, mapped: Sequence[str]) -> Any:
    task_id, index = _instance(name, mapped) or (name, -1)
    return ti.xcom_pull(task_ids=task_id, map_indexes=index, key=notes.REASON)


def _states(ti: Any) -> dict[str, str | None]:
    """State of each task of this run; of a mapped one the id ends in `_<index>`."""
    states: dict[str, str | None] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    return states


def _stage(spec: UseCase, name: str) -> Stage:
    return next(stage for stage in spec.promotion.stages if stage.name == name)


def alone(chosen: Mapping[str, Any]) -> "Split":
    """The version serves alone."""
    from include.stages.promotion.routing import Split

    return Split(candidate=chosen["version"])


def files_of(
    spec: UseCase, stage: Stage, chosen: Mapping[str, Any], split: "Split", before: Mapping[str, str]
) -> dict[str, str | None]:
    """What is committed for a stage."""
    from flightline.hooks.cluster import ClusterHook
    from include.stages.promotion import manifests

    return manifests.render(
        spec,
        stage,
        split,
        before=before,
        parent=ClusterHook.of(stage).gateway,
        model_uri=chosen["uri"],
        digest=chosen["digest"],
        image=chosen["image"],
        manifest_digest=chosen["manifest"],
        feature_code=chosen["feature_code"],
        run_id=chosen["run_id"],
        kafka=chosen["kafka"],
    )
