"""The errors of `include/`, in one tree.

    FlightlineError             message names the thing and the remedy
    ├── RetryableError          the same call may succeed later
    │   ├── MissingInput        an expected object is not there (yet)
    │   └── ServiceUnavailable  an outside service did not answer
    └── PermanentError          a retry cannot help
        ├── InvalidInput        a file, parameter or spec is malformed; nothing was published
        ├── BudgetExceeded      more rows are quarantined than the spec allows; nothing was published
        ├── UnusualDay          a day is too unlike the days before it; nothing was published
        ├── LeakFound           a feature used something not known at prediction time
        ├── AccessRefused       an outside service refused the credentials, or what they may do
        ├── Superseded          another writer committed first what this commit was to write; drop it
        ├── GateFailed          a model does not pass its gates
        └── DigestMismatch      bytes are not the ones that were pinned

Airflow tasks turn a `PermanentError` into `AirflowFailException` (`plugins/flightline/failing.py`).
"""


class FlightlineError(Exception):
    """Base of every error that this package raises on purpose."""


class RetryableError(FlightlineError):
    """The same call may succeed later."""


class MissingInput(RetryableError):
    """An expected object is not there (yet)."""


class ServiceUnavailable(RetryableError):
    """An outside service did not answer."""


class PermanentError(FlightlineError):
    """A retry cannot help."""


class InvalidInput(PermanentError):
    """A file, parameter or spec is malformed; nothing was published."""


class BudgetExceeded(PermanentError):
    """More rows are quarantined than the spec allows; nothing was published."""


class UnusualDay(PermanentError):
    """A day is too unlike the days before it; nothing was published."""


class LeakFound(PermanentError):
    """A feature used something that was not known at prediction time."""


class AccessRefused(PermanentError):
    """An outside service refused the credentials, or what they may do."""


class Superseded(PermanentError):
    """Another writer committed first what this commit was to write; drop it."""


class GateFailed(PermanentError):
    """A model does not pass its gates."""


class DigestMismatch(PermanentError):
    """Bytes are not the ones that were pinned."""
