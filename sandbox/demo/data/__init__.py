"""The raw data of the demo, a module for each use case that `make demo USE_CASE=...` can run."""

from collections.abc import Mapping
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from sandbox.supervisor.service import SandboxError


class Data(Protocol):
    """What such a module has.

    Attributes:
        FIRST: the first day that there are data of.
        LAST: the last one.
        DEMO_LAST: up to where the demo lands before it starts the Dags.
        ENVIRONMENT: the environment (`.venv/<name>`) that has the data.
        ASKS: what a question to the endpoint is about, in the plural.
    """

    FIRST: date
    LAST: date
    DEMO_LAST: date
    ENVIRONMENT: str
    ASKS: str

    def files(self) -> Mapping[str, Mapping[date, bytes]]:
        """Source to day to the bytes of its file."""

    def told(self, row: Mapping[str, Any]) -> str:
        """A row of the following day's questions in words: the request's columns, and `label`."""


def names() -> list[str]:
    """The use cases that there are data of."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def data(use_case: str) -> Data:
    """The module of a use case.

    Raises:
        SandboxError: there is none.
    """
    if use_case not in names():
        raise SandboxError(f"there are no demo data of {use_case!r}; there are of: {', '.join(names())}")
    return cast(Data, import_module(f"sandbox.demo.data.{use_case}"))
