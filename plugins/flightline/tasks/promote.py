"""Tasks of `<use case>.promote`: they gather facts from MLflow, Git and the lake; `stages/promotion` decides."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline import assets, notes, own_code
from flightline.failing import failing_fast
from include.foundation.errors import GateFailed, InvalidInput, ServiceUnavailable
from include.foundation.spec import UseCase, load
from include.foundation.spec.promotion import Stage

if TYPE_CHECKING:
    from include.stages.promotion.routing import Split

log = logging.getLogger(__name__)

APPROVE, REJECT = "Approve", "Reject"


@task
@failing_fast
def choose(
    use_case: str, params: Mapping[str, Any], partition_key: str | None = None, ti: Any = None
) -> dict[str, Any]:
    """The version to promote, of the form, else of the asset's partition, and what its approver needs to know."""
    from flightline.hooks.cluster import ClusterHook
    from flightline.hooks.gitops import GitOpsHook
    from flightline.hooks.kafka import KafkaHook
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry
    from include.stages.promotion import approval, manifests, policy
    from include.stages.promotion.served import served

    version = params["version"] or partition_key
    if not version:
        raise InvalidInput("give a version: this run was not started by a model that passed its gates")
    spec, hook = load(use_case), MlflowHook()
    client, folder = hook.get_conn(), GitOpsHook().read(spec.slug)
    found, champion = registry.get(client, use_case, version), registry.aliased(client, use_case)
    last, serving = registry.last_champion(client, use_case), served(spec, folder)
    candidate = policy.Candidate(
        name=use_case,
        version=version,
        gate=found.gate,
        judged_against=found.tags.get(registry.versions.JUDGED_AGAINST),
        by_person=bool(params["version"]),
        rejected=found.tags.get(registry.versions.REJECTED),
    )
    policy.check(
        candidate,
        champion=champion.version if champion else None,
        last_champion=last.version if last else None,
        served=serving,
    )
    verdict, manifest = found.verdict(), found.manifest()
    chosen: dict[str, Any] = {
        "version": version,
        "uri": found.file(LakeHook().lake.models),
        "digest": found.digest,
        "manifest": manifest.digest,
        "image": manifest.serving_image or ClusterHook().serving_image,
        "trainer_image": manifest.image,
        "feature_code": manifest.feature_code or "",
        "run_id": manifest.run_id,
        "kafka": KafkaHook().plain_settings if spec.predictions else "{}",
        "champion": champion.version if champion else None,
        "folder": _folder_digest(folder),
        "stable": {
            stage.name: manifests.deployed(spec, stage, folder).stable(version) for stage in spec.promotion.stages
        },
    }
    own_code.require(use_case, chosen)
    table, report = (
        verdict.check_report(path, hook.read_text(found.run_id, path))
        for path in ("gates/report.md", "gates/report.json")
    )
    page = hook.version_url(use_case, version)
    ti.xcom_push("mlflow_version", page)
    reached = [stage for stage in spec.promotion.stages if wanted_stage(spec, stage.name, params["until"])]
    after = [_shown(_files(spec, stage, chosen, _alone(chosen), folder)) for stage in reached]
    chosen["body"] = approval.body(
        approval.Request(
            title=spec.title,
            candidate=approval.Version(number=version, manifest=manifest),
            champion=approval.Version(number=champion.version, manifest=champion.manifest()) if champion else None,
            judged_against=verdict.champion,
            report=approval.report(report),
            table=table,
            served=serving,
            until=params["until"],
            before=_renamed(folder, chosen),
            after={path: text for files in after for path, text in files.items()},
            links={"Version in MLflow": page, **_links(spec, hook, found.run_id)},
        )
    )
    notes.say(
        ti,
        "%s version %s may be promoted: gates passed against champion %s, the champion today is %s",
        *(use_case, version, verdict.champion, champion.version if champion else "none"),
    )
    return chosen


@task(task_display_name="record answer")
def record_answer(  # noqa: PLR0917 (Airflow passes what a task names)
    use_case: str,
    chosen: Mapping[str, Any],
    approval: Mapping[str, Any],
    params: Mapping[str, Any],
    ti: Any = None,
    outlet_events: Any = None,
) -> dict[str, str]:
    """Write the answer to the version and announce it. Each answer has a tag of its own: none is ever overwritten."""
    from flightline.hooks.mlflow import MlflowHook
    from include.stages import registry

    answer = {
        "answer": "approved" if approval["chosen_options"] == [APPROVE] else "rejected",
        "by": str((approval["responded_by_user"] or {}).get("name", "nobody known")),
        "at": str(approval["responded_at"]),
    }
    words = f"{answer['answer']} by {answer['by']} up to {params['until']}, in run {ti.run_id}"
    key = f"{registry.versions.ANSWER}.{answer['at'].replace('+00:00', 'Z')}"
    registry.tag(MlflowHook().get_conn(), use_case, chosen["version"], {key: words})
    outlet_events[assets.answer(load(use_case))].extra = {
        **answer,
        "version": chosen["version"],
        "until": params["until"],
    }
    notes.say(ti, "%s version %s was %s at %s", use_case, chosen["version"], words, answer["at"])
    return answer


@task
@failing_fast
def verify(use_case: str, chosen: Mapping[str, Any], answer: Mapping[str, str]) -> dict[str, str]:
    """Go on only with a yes, and only if all is as the approver saw it; the files that keep the stages' folders.

    Raises:
        GateFailed: the answer was no, or champion or repository have changed since.
        DigestMismatch: the stored model file is not the one that was judged. Nothing is deployed then.
    """
    from flightline.hooks.gitops import GitOpsHook
    from flightline.hooks.kafka import KafkaHook
    from flightline.hooks.lake import LakeHook
    from flightline.hooks.mlflow import MlflowHook
    from include.foundation.artifact import store
    from include.stages import registry
    from include.stages.promotion import manifests

    name = f"{use_case} version {chosen['version']}"
    if answer["answer"] != "approved":
        raise GateFailed(f"{name} was rejected by {answer['by']} at {answer['at']}")
    champion = registry.aliased(MlflowHook().get_conn(), use_case)
    now = champion.version if champion else None
    if now not in (chosen["champion"], chosen["version"]):
        raise GateFailed(
            f"{name} was approved while the champion was {chosen['champion']}, but it is {now} now: ask again"
        )
    spec = load(use_case)
    if _folder_digest(GitOpsHook().read(spec.slug)) != chosen["folder"]:
        raise GateFailed(
            f"{spec.slug} in the GitOps repository was changed after {name} was shown for approval: ask again"
        )
    data = store.fetch(LakeHook().lake.objects(), chosen["uri"], chosen["digest"])
    log.info("%s is as it was approved: its model file has %d bytes and its pinned digest", name, len(data))
    if spec.predictions and KafkaHook().is_configured:
        try:
            KafkaHook().create_topic(spec.predictions.topic)
        except ServiceUnavailable as error:  # no reason to deploy nothing
            log.warning("%s; until it is there, predictions are dropped", error)
    return dict(manifests.readme(spec, stage) for stage in spec.promotion.stages)


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
    split = Split(candidate=chosen["version"], stable=chosen["stable"][stage], **step) if step else _alone(chosen)
    files = _files(spec, place, chosen, split, GitOpsHook().read(spec.slug))
    share = f": {split.weight}% of the requests, a copy of {split.mirror}%" if step else ""
    log.info("%s version %s for %s: %s", use_case, chosen["version"], stage, ", ".join(files))
    return {
        "files": files,
        "application": manifests.application(spec, place, url, server=ClusterHook(place.cluster).destination),
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
    cluster = ClusterHook(place.cluster)
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


@task
@failing_fast
def set_champion(use_case: str, chosen: Mapping[str, Any], ti: Any = None) -> dict[str, Any]:
    """Make the version the champion. Nothing else sets this alias."""
    from flightline.hooks.mlflow import MlflowHook
    from flightline.hooks.pushgateway import PushgatewayHook
    from include.stages import registry
    from include.stages.observability import pushed

    hook = MlflowHook()
    before = registry.set_champion(hook.get_conn(), use_case, chosen["version"])
    ti.xcom_push("mlflow_version", hook.version_url(use_case, chosen["version"]))
    previous = before.version if before else None
    PushgatewayHook().push(ti, {pushed.CHAMPION: float(chosen["version"])})
    notes.say(ti, "the champion of %s is version %s, after %s", use_case, chosen["version"], previous or "none")
    return {"champion": chosen["version"], "previous": previous}


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
    failed = sorted(name for name, state in states.items() if state == "failed")
    if not failed:
        raise AirflowSkipException("nothing failed")
    # A run that was cleared still has what its last life left in XCom: only what succeeded in this one is reported.
    chosen = (ti.xcom_pull(task_ids=choose_id) if states.get(choose_id) == "success" else None) or {}
    restored = ti.xcom_pull(task_ids=restore_id) if states.get(restore_id) == "success" else None
    reasons = "; ".join(f"{name}: {ti.xcom_pull(task_ids=name, key=notes.REASON) or 'see its log'}" for name in failed)
    if {*failed} & {*reverting}:
        raise AirflowException(f"PROMOTION FAILED AND WAS NOT TAKEN BACK, act by hand. {reasons}")
    version = f"{use_case} version {chosen['version']}" if chosen else f"no version of {use_case}"
    was = "was not promoted" if chosen else "was promoted"
    done = f"its commits are reverted by {restored['commit'][:12]}" if restored else "nothing had been committed"
    champion = (chosen["champion"] or "none") if chosen else "as it was"
    raise AirflowFailException(f"{version} {was}, and {done}; the champion is still {champion}. {reasons}")


def _states(ti: Any) -> dict[str, str | None]:
    """State of each task of this run; of a mapped one the id ends in `_<index>`."""
    states: dict[str, str | None] = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    return states


def _stage(spec: UseCase, name: str) -> Stage:
    return next(stage for stage in spec.promotion.stages if stage.name == name)


def _alone(chosen: Mapping[str, Any]) -> "Split":
    """The version serves alone."""
    from include.stages.promotion.routing import Split

    return Split(candidate=chosen["version"])


def _files(
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
        parent=ClusterHook(stage.cluster).gateway,
        model_uri=chosen["uri"],
        digest=chosen["digest"],
        image=chosen["image"],
        manifest_digest=chosen["manifest"],
        feature_code=chosen["feature_code"],
        run_id=chosen["run_id"],
        kafka=chosen["kafka"],
    )


def _shown(files: Mapping[str, str | None]) -> dict[str, str]:
    """Without what goes: the approver is shown what comes in its place."""
    return {path: text for path, text in files.items() if text is not None}


def _renamed(folder: Mapping[str, str], chosen: Mapping[str, Any]) -> dict[str, str]:
    """The files of the versions that serve now under the chosen version's names, so that a diff compares them."""
    found = {}
    for path, text in folder.items():
        stable = chosen["stable"].get(path.split("/")[1])
        found[path.replace(f"-{stable}.yaml", f"-{chosen['version']}.yaml") if stable else path] = text
    return found


def _folder_digest(files: Mapping[str, str]) -> str:
    from include.foundation.evidence.manifest import content_key

    return content_key(files=dict(files))


def _links(spec: UseCase, mlflow: Any, run_id: str) -> dict[str, str]:
    """Where the approver can look further."""
    from flightline.hooks.argocd import ArgoCDHook

    run, argo = mlflow.run_url(run_id), ArgoCDHook()
    pages = {f"{stage.name} in Argo CD": argo.page(spec.application(stage.name)) for stage in spec.promotion.stages}
    return {"Curves": f"{run}/artifacts/model/curves.html", "Report": f"{run}/artifacts/gates/report.md", **pages}
