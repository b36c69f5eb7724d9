"""Tasks of `<use case>.predictions`."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline import notes
from flightline.failing import failing_fast
from flightline.tasks.ingest import read_topic
from include.foundation.errors import MissingInput
from include.foundation.spec import load


@task
@failing_fast
def consume(use_case: str, run_id: str | None = None, dag_run: Any = None, ti: Any = None) -> dict[str, Any]:
    """Read the prediction log to its end: bronze, silver and quarantine, as of every topic.

    Skipped where nothing can have been logged: there is no Connection `kafka`, or no version that logs was deployed. A
    run by hand fails then: it would be green and have done nothing.

    Raises:
        MissingInput: the topic was read before, and is gone; retried.
        ServiceUnavailable: no broker answers; retried.
        AirflowFailException: the credentials are refused, or the topic is not the one that was read before.
    """
    from flightline.hooks.kafka import KafkaHook
    from flightline.hooks.lake import LakeHook
    from include.stages.ingest.topics.bronze import read_up_to

    spec, lake = load(use_case), LakeHook().lake
    source = spec.predictions
    if source is None or not KafkaHook().is_configured:
        raise _nothing(dag_run, "predictions are not logged: there is no Connection `kafka`")
    try:
        done, _ = read_topic(lake, spec, source, run_id=str(run_id))
    except MissingInput:
        if read_up_to(lake, spec.table("bronze", source.name)):
            raise
        raise _nothing(dag_run, f"nothing was logged yet: there is no topic {source.topic}") from None
    notes.say(ti, "%s predictions, %s in quarantine", f"{done['messages']:,}", f"{done['quarantined']:,}")
    return done


@task
@failing_fast
def join(use_case: str, run_id: str | None = None, dag_run: Any = None, ti: Any = None) -> dict[str, Any]:
    """Join what was logged with the labels that have matured; where nothing was, as `consume`."""
    from flightline.hooks.lake import LakeHook
    from include.stages.monitoring.answered import join as joined

    spec, lake = load(use_case), LakeHook().lake
    try:
        done = joined(lake, spec, at=datetime.now(UTC), run_id=str(run_id))
    except MissingInput as error:
        raise _nothing(dag_run, str(error)) from None
    rows, found, labelled = map("{:,}".format, (done.rows, done.found, done.labelled))
    notes.say(ti, "%s answers of %d days: %s in gold, %s with a label", rows, len(done.days), found, labelled)
    return done.model_dump(mode="json")


def _nothing(dag_run: Any, reason: str) -> AirflowException:
    """What is raised where there is nothing to do; a person who asked for it is told by a failure."""
    by_hand = dag_run is not None and dag_run.run_type == "manual"
    return AirflowFailException(reason) if by_hand else AirflowSkipException(reason)
