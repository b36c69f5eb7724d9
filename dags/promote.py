"""### Promote: from a version that passed its gates to the serving champion

**Why** — production changes only by an approved commit, step by step, and goes back by itself when a step fails.

**Starts** — when `train` announces a version that passed its gates (asset `model.…`, partition = version); it must have
been judged against the champion of today. By hand with any version that passed: so one goes back to an older one,
which answers with the code of its own day: its run manifest names the serving image.

**Order** — a person approves; then for each stage of the spec: commit the manifests to the GitOps repository, let Argo
CD sync exactly that commit, wait until it is healthy, ask the endpoint for real records and compare its answers with
the model file's own. After the last stage the version gets the alias `champion`. Only this Dag sets it.

**Inputs** — Connections `mlflow`, `gitops`, `argocd`, `cluster`, `lake`.

**Outputs** — commits, a rolled-out Deployment per stage, the alias, tags `approved_by`, `approved_at` on the version.

**When it fails** — *`choose`: the image cannot be had* or *holds other code*: bring back the serving image that the
message names (docs/images.md). If anything fails after the first commit, the use case's folder is restored by a new
commit, Argo CD syncs it and waits until it is healthy, the alias stays where it was, and `revert.report_failure` fails
with the reason. If the revert itself fails, its message says so in capitals: act by hand (`git revert` in the GitOps
repository, then sync). It refuses where another run or a person has changed the folder meanwhile; so clear a whole
run, not single tasks. A rejected or unanswered approval changes nothing.

**Form** — `version`: the registered version (empty only for runs started by the asset); `until`: the last
stage to go to.
"""

from datetime import timedelta

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    DAG,
    ExceptionRetryPolicy,
    PartitionedAssetTimetable,
    RetryAction,
    RetryRule,
    TaskGroup,
)

from flightline import assets, forms
from flightline.exceptions import ArgoCDVerdict
from flightline.links.pages import EndpointLink, MlflowVersionLink, linked
from flightline.operators.argocd import ArgoCDSyncOperator
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.tasks import promote
from include.foundation.spec import load_all

# A try may be lost to Airflow itself: a busy scheduler that hears that a task waits only after its trigger has fired
# (or its approval was given) takes the resumed task for a dead one. The next try goes on with the sync, or asks again.
LOST_TRIES = 3
ASK_NO_MORE = ExceptionRetryPolicy([RetryRule(HITLTimeoutError, RetryAction.FAIL, reason="nobody answered in time")])
# A second sync would undo a person's that took our place, and put off the revert.
SYNC_ONCE = ExceptionRetryPolicy([RetryRule(ArgoCDVerdict, RetryAction.FAIL, reason="Argo CD's verdict is final")])

for spec in load_all():
    stages = [stage.name for stage in spec.promotion.stages]
    with DAG(
        f"{spec.name}.promote",
        description="Approval, staging, smoke test, production, champion",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(assets=assets.model(spec)),
        catchup=False,
        max_active_runs=1,
        tags=[spec.name, "promote"],
        default_args={
            "owner": spec.owner,
            "retries": 1,
            "retry_delay": timedelta(seconds=5),
            "on_failure_callback": promote.keep_reason,
        },
        params=forms.of(forms.Promote(until=stages[-1]), until={"enum": stages}),
    ):
        chosen = linked(promote.choose(spec.name), MlflowVersionLink())
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"Promote {spec.name} {{{{ ti.xcom_pull('choose')['version'] }}}} to {{{{ params.until }}}}?",
            body="{{ ti.xcom_pull('choose')['report'] }}",
            response_timeout=timedelta(hours=spec.promotion.approval_hours),
            retries=LOST_TRIES,
            retry_policy=ASK_NO_MORE,
        )
        approval = promote.record_approval(spec.name, chosen, approve.output)
        prepare = GitOpsCommitOperator(
            task_id="prepare",
            files={f"{spec.slug}/{stage}/README.md": f"{spec.title}: {stage}.\n" for stage in stages},
            message=f"Make room for {spec.name}",
        )
        chosen >> approve
        approval >> prepare
        previous, changes = prepare, []
        for stage in stages:
            with TaskGroup(stage):
                go = promote.wanted(spec.name, stage)
                rendered = promote.render(spec.name, stage, chosen, approval)
                commit = GitOpsCommitOperator(task_id="commit", files=rendered["files"], message=rendered["message"])
                sync = ArgoCDSyncOperator(
                    task_id="sync",
                    application=spec.application(stage),
                    application_spec=rendered["application"],
                    revision=f"{{{{ ti.xcom_pull('{stage}.commit')['commit'] }}}}",
                    retries=LOST_TRIES,
                    retry_policy=SYNC_ONCE,
                )
                smoked = linked(promote.smoke(spec.name, stage, chosen), EndpointLink())
                previous >> go >> rendered >> commit >> sync >> smoked
                previous = smoked
                changes += [commit, sync, smoked]
        crowned = linked(promote.crown(spec.name, chosen), MlflowVersionLink())
        smoked >> crowned

        with TaskGroup("revert"):
            applications = promote.undo(spec.name)
            restore = GitOpsCommitOperator(
                task_id="restore",
                # The head, not the commit: of a cleared run that is an old one, and newer runs came after it.
                restore=(spec.slug, "{{ ti.xcom_pull('prepare')['head'] }}"),
                own=True,
                message=f"Revert {spec.name}",
            )
            resync = ArgoCDSyncOperator.partial(
                task_id="resync",
                revision="{{ ti.xcom_pull('revert.restore')['commit'] }}",
                retries=LOST_TRIES,
                retry_policy=SYNC_ONCE,
            ).expand(application=applications)
            [*changes, crowned] >> applications >> restore >> resync >> promote.report_failure(spec.name)
