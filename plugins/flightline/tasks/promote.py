"""Tasks of `<use case>.promote`: they gather facts from MLflow, Git and the lake; `stages/promotion` decides."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import task

from flightline import assets, lineage, notes, own_code
from flightline.failing import failing_fast
from flightline.tasks import rollout
from include.foundation.errors import GateFailed, InvalidInput, ServiceUnavailable
from include.foundation.spec import UseCase, load

if TYPE_CHECKING:
    pass

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
    reached = [stage for stage in spec.promotion.stages if rollout.wanted_stage(spec, stage.name, params["until"])]
    after = [_shown(rollout.files_of(spec, stage, chosen, rollout.alone(chosen), folder)) for stage in reached]
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
    if lineage.active():
        served = lineage.model(hook.url, f"{use_case}@{registry.versions.CHAMPION}", chosen["version"])
        lineage.tell(ti, inputs=[lineage.model(hook.url, use_case, chosen["version"])], outputs=[served])
    notes.say(ti, "the champion of %s is version %s, after %s", use_case, chosen["version"], previous or "none")
    return {"champion": chosen["version"], "previous": previous}


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
