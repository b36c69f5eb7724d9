"""Turn the errors of `include/` into Airflow's: a retry is only made where it can help."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowFailException

from include.foundation.errors import PermanentError

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def fail_fast() -> Iterator[None]:
    """Raise AirflowFailException for a PermanentError, so that the task fails at once instead of retrying in vain."""
    try:
        yield
    except PermanentError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def failing_fast(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a task's function with `fail_fast`."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with fail_fast():
            return function(*args, **kwargs)

    return wrapper
