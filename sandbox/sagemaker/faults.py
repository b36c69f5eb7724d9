"""What is to go wrong, as tests order it: errors of calls, and ends of jobs."""

import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class Fault:
    """One fault.

    Attributes:
        operation: call that fails, such as `CreateTrainingJob`, or what ends otherwise: `TrainingJob`, the next job
            that starts, or `Endpoint`, the next machines that an endpoint gets.
        code: the error's code; of a job its end: `Failed`, `Stopped`, or `Interrupted`: a spot instance is taken away;
            of an endpoint its state: `Failed` (an update goes back), `OutOfService`, `UpdateRollbackFailed`.
        message: the error's, or the job's FailureReason.
        status: HTTP status.
        times: how often.
        hang_up: close the connection instead of answering.
    """

    operation: str
    code: str = "InternalFailure"
    message: str = ""
    status: int = 400
    times: int = 1
    hang_up: bool = False


class Faults:
    """Faults in the order in which they were ordered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[Fault] = []

    def order(self, document: dict[str, Any]) -> None:
        """Take one. Raises TypeError if it is malformed."""
        with self._lock:
            self._ordered.append(Fault(**document))

    def due(self, operation: str) -> Fault | None:
        """The fault that this call meets now, which is then one fewer."""
        with self._lock:
            for fault in self._ordered:
                if fault.operation == operation:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._ordered.remove(fault)
                    return fault
        return None
