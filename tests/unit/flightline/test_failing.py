"""A final error fails a task at once; every other error keeps its type, so that Airflow retries."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline.failing import fail_fast, failing_fast
from include.foundation.errors import PermanentError


class Unusable(PermanentError):
    """A final error of some stage."""


def test_a_final_error_is_not_retried_and_keeps_its_name_text_and_cause() -> None:
    error = Unusable("trips.csv has no column fare: add it")
    with pytest.raises(AirflowFailException) as caught, fail_fast():
        raise error
    assert str(caught.value) == "Unusable: trips.csv has no column fare: add it"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("odd"), KeyboardInterrupt()])
def test_any_other_error_passes_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, fail_fast():
        raise error
    assert caught.value is error


def test_a_decorated_function_keeps_its_name_arguments_and_result() -> None:
    @failing_fast
    def divide(whole: int, *, by: int) -> float:
        """Quotient."""
        if by == 0:
            raise Unusable("by is 0")
        return whole / by

    assert (divide.__name__, divide.__doc__) == ("divide", "Quotient.")
    assert divide(6, by=4) == 1.5
    with pytest.raises(AirflowFailException, match="by is 0"):
        divide(6, by=0)
