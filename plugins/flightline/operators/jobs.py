"""Run a job where the Connection says."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from flightline.failing import fail_fast
from flightline.links.pages import JobLink, MlflowRunLink
from include.foundation.jobs import RESULT, TRAINER, Job, Resources, address, find

if TYPE_CHECKING:
    from airflow.sdk import Context

    from flightline.backends.protocol import Backend


class JobOperator(BaseOperator):
    """Run `python -m include.steps …` outside the worker, on a backend.

    The job is known by its key: what it reads, image and arguments. A retry, a lost worker and a second trigger rejoin
    the job that runs, or take the record of the one that has finished; other inputs start another job; a cleared task
    is done again; a killed task ends its job. A job that says by its exit code that no retry can help fails the task at
    once.

    The backend is made when the task executes, because its libraries cost seconds to import, which every parse of the
    Dag file, and so every light task of the same Dag, would pay.

    Args:
        arguments: what follows `python -m include.steps`.
        parts: of a job that is several steps, what follows `python -m include.steps` for each (`Job.parts`).
        reads: what the job reads that the arguments do not name, as plain values.
        image: None is the backend's own for the Connection's profile and the runtime.
        runtime: the environment whose libraries the job needs.
        environment: more variables for the job.
        needs: `cpu`, `memory`, `gpus`; what is not said is the template's.
        backend: a name in `flightline.backends.BACKENDS`.
        conn_id: Connection of the system where jobs run; None is the backend's own.
        lake_conn_id: Connection of the lake, where a job leaves its record.

    Returns (XCom): the job's answer.
    """

    template_fields: Sequence[str] = ("arguments", "parts", "reads", "image", "environment", "conn_id", "lake_conn_id")
    program: ClassVar[tuple[str, ...]] = ("-m", "include.steps")
    operator_extra_links = (MlflowRunLink(), JobLink())
    ui_color = "#cfe2ff"

    def __init__(
        self,
        *,
        arguments: list[str],
        parts: Mapping[str, Any] | None = None,
        reads: Mapping[str, Any] | None = None,
        image: str | None = None,
        runtime: str = TRAINER,
        environment: Mapping[str, str] | None = None,
        needs: Mapping[str, Any] | None = None,
        backend: str = "pods",
        conn_id: str | None = None,
        lake_conn_id: str = "lake",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self.parts = parts
        self.reads = reads
        self.image = image
        self.runtime = runtime
        self.environment = environment
        self.needs = needs
        self.backend = backend
        self.conn_id = conn_id
        self.lake_conn_id = lake_conn_id

    @cached_property
    def runner(self) -> "Backend":
        """The backend; to be asked only once the templates are rendered."""
        from flightline.backends import backend

        found = backend(self.backend)
        return found(self, conn_id=self.conn_id or found.default_conn_id)

    def job(self, context: "Context") -> Job:
        """The job as the rendered templates describe it."""
        from flightline.hooks.lake import LakeHook

        job = Job(
            name=self.task_id.replace(".", "-").replace("_", "-").lower()[-42:].strip("-"),
            arguments=tuple(self._command(self.arguments)),
            parts={name: self._commands(words) for name, words in (self.parts or {}).items()},
            image=self.image or self.runner.image(self.conn_id or self.runner.default_conn_id, self.runtime),
            runtime=self.runtime,
            resources=Resources(**(self.needs or {})),
            reads=self.reads or {},
            rerun=_rerun(context, self.retries or 0),
        )
        record = {RESULT: address(LakeHook(self.lake_conn_id).lake, job.key)}
        return job.model_copy(update={"environment": {**(self.environment or {}), **record}})

    def execute(self, context: "Context") -> Any:
        """Start the job, rejoin it, or take the answer of the one that has finished."""
        with fail_fast():
            job = self.job(context)
            if (record := self._record(job)) is not None:
                self.log.info("job %s has finished before: %s", job.key[:12], record["answer"])
                return record["answer"]
            self.log.info("job %s: python %s in %s", job.key[:12], " ".join(job.arguments), job.image)
            return self._wait(job, lambda: self.runner.run(job, context))

    def trigger_reentry(self, context: "Context", event: dict[str, Any]) -> Any:
        """Go on after the trigger. Backends defer to this name."""
        with fail_fast():
            job = self.job(context)
            return self._wait(job, lambda: self.runner.resume(job, context, event))

    def on_kill(self) -> None:
        """End the job."""
        self.runner.kill()

    def _commands(self, words: list[Any]) -> list[Any]:
        """Of one step, or of several at a time."""
        several = bool(words) and isinstance(words[0], list)
        return [self._command(each) for each in words] if several else self._command(words)

    def _command(self, words: list[Any]) -> list[str]:
        return [*self.program, *map(str, words)]

    def _wait(self, job: Job, work: Any) -> Any:
        from flightline.backends.protocol import JobFailed

        record = None
        try:
            work()
        except JobFailed as error:
            if error.permanent:
                raise AirflowFailException(f"a retry cannot help, the log of this task says why: {error}") from error
            # Another task that waited for the same job may have seen its end first, and cleared it away.
            if (record := self._record(job)) is None:
                raise AirflowException(str(error)) from error
        record = record or self._record(job)
        if record is None:
            raise AirflowException(f"job {job.key[:12]} ended well but left no record at {job.environment[RESULT]}")
        return record["answer"]

    def _record(self, job: Job) -> dict[str, Any] | None:
        from flightline.hooks.lake import LakeHook

        return find(LakeHook(self.lake_conn_id).lake, job.key)


def _rerun(context: "Context", retries: int) -> str:
    """Which clear of which run this is; empty for a task that was never cleared.

    A clear raises `max_tries` above the task's own retries and a retry does not, so that a retry finds the job of its
    try, and a task that a person cleared is done again.
    """
    ti = context["ti"]
    cleared = ti.max_tries - retries
    return f"{ti.run_id} {cleared}" if cleared > 0 else ""
