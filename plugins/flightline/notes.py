"""What a step has to say, in one sentence: for its log, and for the note of its run.

A task cannot write the note itself: it keeps its sentence in XCom, and the scheduler, whose listener this module is,
puts those of a run together when the run ends. A note that a person wrote stays.
"""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.listeners import hookimpl

from flightline import forms

log = logging.getLogger(__name__)

NOTE, REASON = "note", "reason"
LONGEST = 1000  # characters of a note in Airflow's database


def say(ti: Any, sentence: str, *values: object) -> None:
    """Log a sentence (as `logging` formats it) and keep it for the run's note; one of a task."""
    text = sentence % values
    log.info("%s", text)
    ti.xcom_push(NOTE, text)


def nothing(ti: Any, reason: str, *, by_hand: bool = False) -> bool:
    """Say why there is nothing to do; False, for a task that skips the rest.

    Raises:
        AirflowFailException: a person asked for it: the run would be green and have done nothing.
    """
    if by_hand:
        from airflow.sdk.exceptions import AirflowFailException

        raise AirflowFailException(reason)
    say(ti, "%s", reason)
    return False


def keep_reason(context: Any) -> None:
    """`on_failure_callback`: keep why a task failed."""
    context["ti"].xcom_push(REASON, str(context.get("exception"))[:LONGEST])


# For `default_args`: a sentence in the log, not a dump of what the task returned, and none that is not the run's own.
IN_WORDS = {
    "on_failure_callback": keep_reason,
    "show_return_value_in_logs": False,
    "pre_execute": forms.refuse_unknown,
}


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """A run has ended well."""
    _write(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """A run has failed."""
    _write(dag_run)


def _write(dag_run: Any) -> None:
    if dag_run.dag_run_note and dag_run.dag_run_note.user_id:
        return
    if text := of(dag_run):
        dag_run.note = text


def of(dag_run: Any) -> str:
    """What the tasks of a run said, in the scheduler; empty where they said nothing."""
    from airflow.models.xcom import XComModel  # noqa: TID251 (a listener runs in the scheduler, which has no SDK)
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return ""
    of_run = select(XComModel.task_id, XComModel.key, XComModel.value).where(
        XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key.in_([NOTE, REASON])
    )
    said = session.execute(of_run.order_by(XComModel.timestamp.desc())).all()
    return together([(row.task_id, row.key, row.value) for row in said])


def together(said: Sequence[tuple[str, str, str]]) -> str:
    """The note of a run: its tasks' sentences, and why tasks failed, in Markdown. Lists of runs show the first line.

    Args:
        said: task, key (`note` or `reason`) and text of each, the last word first.
    """
    lines = [f"**{task}** failed: {text}" if key == REASON else text for task, key, text in said]
    whole = "\n\n".join(lines)
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 4]} ..."
