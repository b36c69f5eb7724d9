"""### Promote: from a version that passed its gates to the serving champion

**Why** — production changes only by an approved commit, step by step, and goes back by itself when a step fails.

**Starts** — when `train` announces a version that passed its gates (asset `model.…`, partition = version); it must have
been judged against the champion of today. By hand with any version that passed: so one goes back to an older one,
which answers with the code of its own day: its run manifest names the serving image.

**Order** — `choose` checks the version: its verdict, report and model file are bound to its run manifest by digests,
and registry and Git agree on the champion. A person answers `approve`; the answer is kept on the version, one tag each.
After a yes `verify` looks again: the same champion, the same files in Git, the model file with its digest. Then for
each stage of the spec: commit the manifests to the GitOps repository, let Argo CD sync exactly that commit, wait until
it is healthy, ask the endpoint for real records and compare its answers with the model file's own. After the last stage
`set_champion` gives the version the alias `champion`. Only this Dag sets it.

**Steps** — where another version serves the last stage, the new one is brought on beside it, by the spec's
`promotion.steps` (a copy of the requests, which nobody sees answered; shares of them; all of them): a commit and a sync
each, then `observe` compares what both do for a window (failures, p99, distribution of answers, restarts, memory; the
metric, where labels have come). Only after the window of all requests the other version goes. Without requests enough a
step waits up to `promotion.limit_seconds` and then fails, unless the spec says `without_traffic: go_on`. A person
- pauses by pausing this Dag: what runs ends, nothing more starts;
- hastens by marking `observe` as success, whatever it has seen;
- aborts by marking `observe` as failed: all is taken back.

**Marketplace** — where the spec says `promotion.targets: [argocd, modzy]`, the champion is then bundled by its own
code, published to Modzy with its card and sample, tried there by a test run, activated, and the version before it is
retired. A failure there fails the run and takes nothing back: clear the task, it goes on where Modzy stands.

**SageMaker** — with `sagemaker` among the targets the use case's endpoint serves the champion's bundle, its answers are
compared, and it goes back to what was right before where they differ. The same holds for its failures.

**Inputs** — Connections `mlflow`, `gitops`, `argocd`, `cluster`, `lake`; `modzy`, `sagemaker` where they are targets.

**Outputs** — commits, a rolled-out Deployment per stage, the alias, a tag
`answer.<time>` on the version and an event of the asset `answer.…` for each answer.

**When it fails** — if anything fails after the first commit, the use case's folder is restored by a new commit, Argo CD
syncs it and waits until it is healthy, the alias stays where it was, and `revert.report_failure` fails with the reason.
If the revert itself fails, its message says so in capitals: act by hand (`git revert` in the GitOps repository, then
sync). It refuses where another run or a person has changed the folder meanwhile; so clear a whole run, not single
tasks. A rejected or unanswered approval changes nothing; the run fails and says who rejected it.
- *`choose`: the image cannot be had* or *holds other code*: bring back the serving image that the message names
  (docs/images.md).
- *`choose`: no version has the alias `champion`*: it was taken away; the message says which version to promote to give
  it back. An absent champion is never taken for a first time.
- *`choose` or `commit`: a file that no promotion put there*: a sync would apply it. Take it out of the folder.
- *`choose`: a tag, report or URI was changed*: run the version's gate again (`<use case>.train`, task `gate`).
- *`observe`: … is worse*: the reason is in the version's tag `rejected`. Only a person promotes such a version again.
- *`observe`: too few requests*: promote when there are more.
- *`set_champion`* tries for about half an hour: a registry that restarts is no reason to take a good deployment back.

**Form** — `version`: the registered version (empty only for runs started by the asset); `until`: the last
stage to go to.
"""

from datetime import timedelta

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, ExceptionRetryPolicy, PartitionedAssetTimetable, RetryAction, RetryRule

from flightline import assets, forms, notes, targets
from flightline.links.pages import ChosenVersionLink, MlflowVersionLink, linked
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.operators.grafana import GrafanaAnnotationOperator
from flightline.rollout import LOST_TRIES, revert, rollout
from flightline.tasks import promote
from include.foundation.spec import load_all

ASK_NO_MORE = ExceptionRetryPolicy([RetryRule(HITLTimeoutError, RetryAction.FAIL, reason="nobody answered in time")])
QUESTION = "Promote {name} version {{{{ ti.xcom_pull('choose')['version'] }}}} to {{{{ params.until }}}}?"
BODY = """{{{{ ti.xcom_pull('choose')['body'] }}}}

If nobody answers by {{{{ (ti.start_date + macros.timedelta(hours={hours})).strftime('%Y-%m-%d %H:%M UTC') }}}},
this run fails and nothing is changed."""

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
            **notes.IN_WORDS,
        },
        params=forms.of(forms.Promote(until=stages[-1]), until={"enum": stages}),
    ):
        chosen = linked(promote.choose(spec.name), MlflowVersionLink())
        approve = HITLOperator(
            task_id="approve",
            subject=QUESTION.format(name=spec.name),
            body=BODY.format(hours=spec.promotion.approval_hours),
            options=[promote.APPROVE, promote.REJECT],
            response_timeout=timedelta(hours=spec.promotion.approval_hours),
            retries=LOST_TRIES,
            retry_policy=ASK_NO_MORE,
        )
        approve.operator_extra_links = (ChosenVersionLink(),)
        answer = promote.record_answer.override(outlets=[assets.answer(spec)])(spec.name, chosen, approve.output)
        verified = promote.verify(spec.name, chosen, answer)
        prepare = GitOpsCommitOperator(task_id="prepare", files=verified, message=f"Make room for {spec.name}")
        moves = rollout(spec, chosen, answer)
        # A final step's trouble passes: it is tried for half an hour before a good deployment is taken back.
        champion = linked(
            promote.set_champion.override(
                retries=8, retry_exponential_backoff=2.0, max_retry_delay=timedelta(minutes=5)
            )(spec.name, chosen),
            MlflowVersionLink(),
        )
        chosen >> approve
        prepare >> moves[0].first
        text = f"{spec.name} version {{{{ ti.xcom_pull('choose')['version'] }}}} is the champion"
        moves[-1].looks[-1] >> champion >> GrafanaAnnotationOperator(task_id="annotate", text=text, tags=["deploy"])
        champion >> targets.publish(spec, chosen.operator.task_id, chosen)
        revert(spec, moves, base=prepare, after=[champion], choose_id=chosen.operator.task_id)
