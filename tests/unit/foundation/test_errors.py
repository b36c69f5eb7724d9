"""The tree decides what is tried again: every error is retryable or permanent, and none is both."""

import inspect
import re

import pytest

from include.foundation import errors
from include.foundation.errors import FlightlineError, PermanentError, RetryableError

ALL = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, FlightlineError)]
LEAVES = [each for each in ALL if each not in (FlightlineError, PermanentError, RetryableError)]


@pytest.mark.parametrize("error", LEAVES)
def test_a_retry_helps_or_it_does_not(error):
    assert issubclass(error, RetryableError) != issubclass(error, PermanentError)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = {name: len(indent) for indent, name in re.findall(r"^([ │├└─]+)([A-Z]\w+)  ", errors.__doc__, re.MULTILINE)}
    # Each level is drawn four characters further in.
    assert drawn == {each.__name__: 4 * (len(each.__mro__) - len(Exception.__mro__)) for each in ALL}
