"""The rollout of a version as a factory of tasks: each move is a commit to the GitOps repository, a sync and a look.

A copy of the requests, a share of them, all of them: each is a move like any other, and undone and reported like them.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule, TaskGroup, chain

from flightline.exceptions import ArgoCDVerdict
from flightline.links.pages import EndpointLink, linked
from flightline.operators.argocd import ArgoCDSyncOperator
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.operators.grafana import GrafanaAnnotationOperator
from flightline.operators.rollout import ObserveOperator
from flightline.tasks import rollout as rollout_tasks
from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage

# A try may be lost to Airflow itself: a busy scheduler that hears that a task waits only after its trigger has fired
# (or its approval was given) takes the resumed task for a dead one. The next try goes on with the sync, or asks again.
LOST_TRIES = 3
tasks: Any = rollout_tasks  # their results are XComArgs, and Airflow fills in arguments that a call leaves out
# A second sync would undo a person's that took our place, and put off the revert.
SYNC_ONCE = ExceptionRetryPolicy([RetryRule(ArgoCDVerdict, RetryAction.FAIL, reason="Argo CD's verdict is final")])


def _of(operator: BaseOperator, key: str) -> str:
    """A template of a part of what the operator returns."""
    return f"{{{{ ti.xcom_pull('{operator.task_id}')['{key}'] }}}}"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One step of a rollout: the tasks that others connect to. `looks` fail if the stage is not as it must be."""

    application: str
    first: Any
    commit: BaseOperator
    sync: BaseOperator
    looks: tuple[Any, ...]

    @property
    def ids(self) -> dict[str, str]:
        """Fields of `include.stages.promotion.policy.Move`."""
        return {"application": self.application, "commit": self.commit.task_id, "sync": self.sync.task_id}


def stage(spec: UseCase, stage: Stage, chosen: Any, answer: Any) -> list[Move]:
    """The moves that bring the chosen version to a stage, in order, in a task group of the stage's name.

    The last one leaves the version alone there. In the last stage the spec's steps come before it, and one in which the
    version answers everything while the other is still there; they are left out where no other version serves.
    """
    with TaskGroup(stage.name):
        wanted = tasks.wanted(spec.name, stage.name)
        walked = [_step(spec, stage, step, chosen, answer, new=not i) for i, step in enumerate(_steps(spec, stage))]
        rendered = tasks.render.override(trigger_rule="none_failed_min_one_success")(
            spec.name, stage.name, chosen, answer
        )
        look = linked(tasks.smoke(spec.name, stage.name, chosen), EndpointLink())
        alone = _move(spec, stage, rendered, look)
        if walked:
            first = [move.first.operator.task_id for move in (walked[0], alone)]
            way = tasks.way(stage.name, chosen, *first)
            wanted >> way >> [walked[0].first, rendered]
            for before, after in pairwise([*walked, alone]):
                before.looks[-1] >> after.first
            return [replace(walked[0], first=wanted), *walked[1:], alone]
        wanted >> rendered
    return [replace(alone, first=wanted)]


def _steps(spec: UseCase, stage: Stage) -> list[tuple[str, dict[str, int], int]]:
    """Name, shares and seconds of each step that a stage is walked by."""
    promotion = spec.promotion
    if stage != promotion.stages[-1] or not promotion.steps:
        return []
    said = [
        (step.name, {"weight": step.canary or 0, "mirror": step.shadow or 0}, step.window_seconds)
        for step in promotion.steps
    ]
    everything = ("full", {"weight": 100, "mirror": 0}, None)
    return [(name, shares, seconds or promotion.window_seconds) for name, shares, seconds in (*said, everything)]


def _step(
    spec: UseCase, stage: Stage, step: tuple[str, dict[str, int], int], chosen: Any, answer: Any, *, new: bool
) -> Move:
    """A move to other shares, and a window in which both versions are observed; of a new one a smoke test before."""
    name, shares, seconds = step
    with TaskGroup(name):
        rendered = tasks.render(spec.name, stage.name, chosen, answer, shares)
        smoke = [linked(tasks.smoke(spec.name, stage.name, chosen, itself=True), EndpointLink())] if new else []
        observe = ObserveOperator(
            task_id="observe",
            use_case=spec.name,
            stage=stage.name,
            chosen=chosen,
            step=name,
            window_seconds=seconds,
            retries=LOST_TRIES,
            **shares,
        )
        return _move(spec, stage, rendered, *smoke, observe)


def _move(spec: UseCase, stage: Stage, rendered: Any, *looks: Any) -> Move:
    """A commit, the sync of it, and looks one after the other."""
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
    chain(rendered, commit, sync, *looks)
    return Move(application=sync.application, first=rendered, commit=commit, sync=sync, looks=looks)


def rollout(spec: UseCase, chosen: Any, answer: Any) -> list[Move]:
    """The moves through all stages of the spec, one after the other."""
    with TaskGroup("rollout"):
        places = [stage(spec, place, chosen, answer) for place in spec.promotion.stages]
    for before, after in pairwise(places):
        before[-1].looks[-1] >> after[0].first
    return [move for moves in places for move in moves]


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
        applications = tasks.undo([move.ids for move in moves])
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
        report = tasks.report_failure(
            spec.name,
            choose_id,
            restore.task_id,
            [applications.operator.task_id, restore.task_id, resync.task_id],
        )
        restore >> GrafanaAnnotationOperator(
            task_id="annotate",
            text=f"{spec.name} version {{{{ ti.xcom_pull('{choose_id}')['version'] }}}} was taken back",
            tags=["rollback"],
        )
    watched = [task for move in moves for task in (move.commit, move.sync, *move.looks)]
    [*watched, *after] >> applications >> restore >> resync >> report
