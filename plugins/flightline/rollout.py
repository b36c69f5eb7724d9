"""The rollout of a version as a factory of tasks: each move is a commit to the GitOps repository, a sync and a look.

A stage has one move today. What brings a version on in smaller ones (a canary, a mirror) adds moves to `stage`: they
are undone and reported like any other.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule, TaskGroup

from flightline.exceptions import ArgoCDVerdict
from flightline.links.pages import EndpointLink, linked
from flightline.operators.argocd import ArgoCDSyncOperator
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.tasks import promote as tasks
from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage

# A try may be lost to Airflow itself: a busy scheduler that hears that a task waits only after its trigger has fired
# (or its approval was given) takes the resumed task for a dead one. The next try goes on with the sync, or asks again.
LOST_TRIES = 3
promote: Any = tasks  # their results are XComArgs, and Airflow fills in arguments that a call leaves out
# A second sync would undo a person's that took our place, and put off the revert.
SYNC_ONCE = ExceptionRetryPolicy([RetryRule(ArgoCDVerdict, RetryAction.FAIL, reason="Argo CD's verdict is final")])


def _of(operator: BaseOperator, key: str) -> str:
    """A template of a part of what the operator returns."""
    return f"{{{{ ti.xcom_pull('{operator.task_id}')['{key}'] }}}}"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One step of a rollout: the tasks that others connect to. `look` fails if the stage is not as it must be."""

    application: str
    first: Any
    commit: BaseOperator
    sync: BaseOperator
    look: Any

    @property
    def ids(self) -> dict[str, str]:
        """Fields of `include.stages.promotion.policy.Move`."""
        return {"application": self.application, "commit": self.commit.task_id, "sync": self.sync.task_id}


def stage(spec: UseCase, stage: Stage, chosen: Any, answer: Any) -> list[Move]:
    """The moves that bring the chosen version to a stage, in order, in a task group of the stage's name."""
    with TaskGroup(stage.name):
        wanted = promote.wanted(spec.name, stage.name)
        rendered = promote.render(spec.name, stage.name, chosen, answer)
        commit = GitOpsCommitOperator(
            task_id="commit",
            files=rendered["files"],
            message=rendered["message"],
            folder=f"{spec.slug}/{stage.name}",
        )
        sync = ArgoCDSyncOperator(
            task_id="sync",
            application=spec.application(stage.name),
            application_spec=rendered["application"],
            revision=_of(commit, "commit"),
            retries=LOST_TRIES,
            retry_policy=SYNC_ONCE,
        )
        look = linked(promote.smoke(spec.name, stage.name, chosen), EndpointLink())
        wanted >> rendered >> commit >> sync >> look
    return [Move(application=sync.application, first=wanted, commit=commit, sync=sync, look=look)]


def rollout(spec: UseCase, chosen: Any, answer: Any) -> list[Move]:
    """The moves through all stages of the spec, one after the other."""
    with TaskGroup("rollout"):
        moves = [move for place in spec.promotion.stages for move in stage(spec, place, chosen, answer)]
    for before, after in pairwise(moves):
        before.look >> after.first
    return moves


def revert(spec: UseCase, moves: list[Move], *, base: BaseOperator, after: list[Any], choose_id: str) -> None:
    """What takes the moves back when one of them or of `after` fails, and report it.

    Args:
        spec: the use case.
        moves: of the rollout.
        base: the commit before the first move.
        after: what else may fail after the first move.
        choose_id: the task that chose the version.
    """
    with TaskGroup("revert"):
        applications = promote.undo([move.ids for move in moves])
        restore = GitOpsCommitOperator(
            task_id="restore",
            # The head, not the commit: of a cleared run that is an old one, and newer runs came after it.
            restore=(spec.slug, _of(base, "head")),
            own=True,
            message=f"Revert {spec.name}",
        )
        resync = ArgoCDSyncOperator.partial(
            task_id="resync", revision=_of(restore, "commit"), retries=LOST_TRIES, retry_policy=SYNC_ONCE
        ).expand(application=applications)
        report = promote.report_failure(
            spec.name,
            choose_id,
            restore.task_id,
            [applications.operator.task_id, restore.task_id, resync.task_id],
        )
    watched = [task for move in moves for task in (move.commit, move.sync, move.look)]
    [*watched, *after] >> applications >> restore >> resync >> report
