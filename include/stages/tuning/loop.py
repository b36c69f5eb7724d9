"""A tuning worker: suggest, evaluate, observe until the budget is spent.

Several workers share one experiment. What a worker holds open is tagged with its name, so that after a kill its
successor closes it as failed: one trial is lost and nothing else. A failed trial counts against the budget, as it does
at SigOpt, and so does one that is open: a worker that finds every remaining trial in other hands is done. So that the
same trials come whatever the timing, a suggestion may wait for the outcome of an earlier trial (HTTP 425), which the
service gives up when its worker seems dead.
"""

import logging
import math
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from sigopt.exception import ApiException
from sigopt.ratelimit import failed_status_rate_limit

from include.foundation.errors import InvalidInput, PermanentError
from include.stages.tuning.calls import PATIENCE_SECONDS, RefusedError, patiently

if TYPE_CHECKING:
    from sigopt import Connection

log = logging.getLogger(__name__)
_FAILURES_IN_A_ROW = 3
_GRACE_SECONDS = 5.0
_WAIT_SECONDS = 0.5
_LONGEST_TEXT = 500  # of a metadata value


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the experiment stands: this trial is number `trial` (from 1) of `budget`."""

    trial: int
    budget: int


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that has been reported to the service.

    Attributes:
        suggestion: its id at the service.
        assignments: the tried parameters.
        values: what evaluation returned, by metric; empty if it failed.
        failure: why it failed; None if it did not.
        started: seconds since 1970.
        seconds: how long evaluation took.
        progress: where the experiment stood when it started.
    """

    suggestion: str
    assignments: dict[str, Any]
    values: dict[str, float]
    failure: str | None
    started: float
    seconds: float
    progress: Progress


Evaluate = Callable[[dict[str, Any], Progress], float | Mapping[str, float]]


def run_worker(
    connection: "Connection",
    experiment_id: str,
    *,
    worker: str,
    evaluate: Evaluate,
    on_trial: Callable[[Trial], None],
    facts: Callable[[], Mapping[str, Any]] = dict,
) -> int:
    """Work on an experiment until its budget is spent or in other hands.

    In the main thread SIGTERM reports the running trial as failed and ends the process with exit code 143.

    Args:
        connection: SigOpt's client.
        experiment_id: an experiment with a budget.
        worker: this worker's name; the same when it is retried, and nobody else's.
        evaluate: gets assignments and progress; returns the sole metric's value, or all metrics' by name. An
            exception, or a value that is not finite, makes a failed trial.
        on_trial: called with every trial once the service has it.
        facts: asked after each evaluation for what the observation's metadata says beside the worker.

    Returns:
        How many trials this worker reported.

    Raises:
        InvalidInput: the experiment has no budget.
        PermanentError: someone else closed this worker's trial.
        RefusedError: the service refused a call.
        ServiceUnavailable: the service does not answer.
        Exception: what `evaluate` raised the third time in a row, or at once if it is a PermanentError.
    """
    own = _Worker(connection, experiment_id, worker)
    done = failures = 0
    with _sigterm_exits():
        own.close_orphans()
        while taken := own.take():
            suggestion, progress = taken
            assignments = dict(suggestion.assignments)
            started, clock, values, error = time.time(), time.monotonic(), dict[str, float](), None
            try:
                values = own.finite(evaluate(dict(assignments), progress))
            except BaseException as caught:  # noqa: BLE001 (exits, too, are reported first; raised again below)
                error = caught
            seconds, failure = time.monotonic() - clock, f"{type(error).__name__}: {error}" if error else None
            leaving = error is not None and not isinstance(error, Exception)
            patience = _GRACE_SECONDS if leaving else PATIENCE_SECONDS
            own.report(suggestion.id, values, failure=failure, patience=patience, facts=facts())
            done, failures = done + 1, failures + 1 if error else 0
            on_trial(
                Trial(
                    suggestion=str(suggestion.id),
                    assignments=assignments,
                    values=values,
                    failure=failure,
                    started=started,
                    seconds=seconds,
                    progress=progress,
                )
            )
            if error and (leaving or isinstance(error, PermanentError) or failures >= _FAILURES_IN_A_ROW):
                raise error
    return done


class _Worker:
    """One process of a worker: its calls to the service."""

    def __init__(self, connection: "Connection", experiment_id: str, name: str) -> None:
        self._experiment = connection.experiments(experiment_id)
        # a retried pod has the name of the one before, but not its mark
        self._mark = {"worker": name, "process": uuid.uuid4().hex}
        fetched = patiently(self._experiment.fetch)
        if not fetched.observation_budget:
            raise InvalidInput(f"tuning experiment {experiment_id} has no budget: workers would never end")
        self._metrics = [metric.name for metric in fetched.metrics]

    def close_orphans(self) -> None:
        """Report as failed what an earlier process of this name left open."""
        for suggestion in patiently(self._open):
            if (suggestion.metadata or {}).get("worker") == self._mark["worker"]:
                log.warning("trial %s was left open by this worker's predecessor: reported as failed", suggestion.id)
                try:
                    self.report(suggestion.id, {}, failure="the worker ended during the trial")
                except PermanentError as error:
                    log.warning("%s", error)  # its process lived long enough to report it

    def take(self) -> tuple[Any, Progress] | None:
        """The next suggestion; None if the budget is spent or in other hands."""
        while True:
            try:
                return patiently(self._take)
            except RefusedError as error:
                if error.status != HTTPStatus.TOO_EARLY:
                    raise
                log.info("%s", error)
                failed_status_rate_limit.clear()  # the client takes it for a failure and would sleep ever longer
                time.sleep(_WAIT_SECONDS)

    def _take(self) -> tuple[Any, Progress] | None:
        fetched, held = self._experiment.fetch(), self._open()
        taken, budget = fetched.progress.observation_count + len(held), fetched.observation_budget
        # One of our own: the reply to an earlier try was lost.
        mine = [each for each in held if dict(each.metadata or {}) == self._mark]
        if not mine and taken >= budget:
            return None
        try:
            found = mine[0] if mine else self._experiment.suggestions().create(metadata=self._mark)
        except ApiException as error:
            if error.status_code == HTTPStatus.CONFLICT:  # another worker was faster
                return None
            raise
        # our service numbers suggestions; SigOpt's does not, and workers that ask at once see the same count there
        return found, Progress(trial=found.to_json().get("number", taken + (not mine)), budget=budget)

    def report(
        self,
        suggestion: str,
        values: Mapping[str, float],
        *,
        failure: str | None,
        patience: float = PATIENCE_SECONDS,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the observation. A repeated report of the same is answered as the first one was.

        Raises:
            PermanentError: the suggestion has another observation already.
        """
        outcome: dict[str, Any] = {"values": [{"name": name, "value": value} for name, value in values.items()]}
        metadata = {**(facts or {}), **self._mark}
        if failure is not None:
            outcome, metadata = {"failed": True}, {**metadata, "failure": failure[:_LONGEST_TEXT]}
        try:
            patiently(
                lambda: self._experiment.observations().create(suggestion=suggestion, metadata=metadata, **outcome),
                seconds=patience,
            )
        except RefusedError as error:
            if error.status == HTTPStatus.CONFLICT:
                raise PermanentError(f"trial {suggestion} was closed by another process: {error}") from error
            raise

    def finite(self, values: float | Mapping[str, float]) -> dict[str, float]:
        """Values by metric name. Raises ValueError if one is not finite."""
        named = values if isinstance(values, Mapping) else {self._metrics[0]: values}
        for name, value in named.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} is {value}")
        return {name: float(value) for name, value in named.items()}

    def _open(self) -> list[Any]:
        return list(self._experiment.suggestions().fetch(state="open").iterate_pages())


@contextmanager
def _sigterm_exits() -> Iterator[None]:
    """SIGTERM raises SystemExit, once; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(signum: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signum, signal.SIG_IGN)
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
