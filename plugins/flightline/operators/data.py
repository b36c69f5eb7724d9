"""Run ingest or features outside the worker, in the runtime of the spec's engine."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flightline.operators.jobs import JobOperator
from include.engine import RUNTIMES

if TYPE_CHECKING:
    from include.foundation.spec import UseCase


class DataJobOperator(JobOperator):
    """Run `python -m include.steps.data …` as a job: see `JobOperator`.

    Args:
        spec: the use case, whose section `engine` says the runtime and the backend.
        arguments: what follows `python -m include.steps.data`.
        reads: what the job reads that the arguments do not name.
    """

    program = ("-m", "include.steps.data")

    def __init__(self, *, spec: "UseCase", arguments: list[str], reads: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(
            arguments=arguments,
            reads=reads,
            backend=spec.engine.backend,
            runtime=RUNTIMES[spec.engine.name],
            **kwargs,
        )
