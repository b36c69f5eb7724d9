"""What every job backend must do, for each that is registered."""

import inspect

import pytest

from flightline.backends import BACKENDS, backend
from flightline.backends.protocol import Backend
from include.foundation.errors import InvalidInput


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_has_every_method_with_its_arguments(name):
    found = backend(name)
    for method in ("__init__", "image", "run", "resume", "kill"):
        wanted = inspect.signature(getattr(Backend, method)).parameters
        assert list(inspect.signature(getattr(found, method)).parameters) == list(wanted), method


def test_an_unknown_backend_is_named_with_those_that_there_are():
    with pytest.raises(InvalidInput, match=r"no job backend 'mainframe'; there are: pods"):
        backend("mainframe")
