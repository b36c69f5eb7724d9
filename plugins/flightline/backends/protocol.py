"""What every job backend can do. The shared contract test is tests/unit/flightline/backends/test_backend.py."""

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from include.foundation.jobs import TRAINER, Job

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


class JobFailed(Exception):
    """The job ended without success. `permanent`: the job itself said that a retry cannot help."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class Backend(Protocol):
    """Runs one job for one task. Made anew in each process that works on the task.

    Args of the constructor:
        operator: the task; its `defer` is how a backend waits.
        conn_id: the Connection of the system.

    Attributes:
        default_conn_id: the Connection unless a task names another.
    """

    default_conn_id: ClassVar[str]

    def __init__(self, operator: "BaseOperator", *, conn_id: str) -> None: ...

    @staticmethod
    def image(conn_id: str, runtime: str = TRAINER) -> str:
        """The image of a runtime that runs jobs here unless a job names another. Light: it imports no client."""
        ...

    def run(self, job: Job, context: "Context") -> None:
        """Start the job, or rejoin the one with its key, and wait: by deferring the task, or here.

        Raises:
            JobFailed: it ended without success.
        """
        ...

    def resume(self, job: Job, context: "Context", event: dict[str, Any]) -> None:
        """Go on after the trigger: show the log, wait again or return once the job has succeeded.

        Raises:
            JobFailed: it ended without success.
        """
        ...

    def kill(self) -> None:
        """End the job that `run` started or rejoined in this process."""
        ...
