"""Engines: what runs the work of a range of days and brings its rows into tables. Adding one adds it here.

A member's libraries cost seconds to import: its module is imported when it is asked for and not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from include.engine.protocol import Output, Sink, Staged, Work
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from include.engine.protocol import Engine

__all__ = ["ENGINES", "RUNTIMES", "Output", "Sink", "Staged", "Work", "engine"]

ENGINES = {"polars": "include.engine.polars.Polars", "spark": "include.engine.spark.Spark"}
# Whose libraries a worker of Airflow does not have: their work is a job in this runtime.
RUNTIMES = {"spark": "spark"}


def engine(name: str) -> Engine:
    """The engine of that name, as the spec calls it.

    Raises:
        InvalidInput: there is none, or this environment lacks its libraries.
    """
    if name not in ENGINES:
        raise InvalidInput(f"there is no engine {name[:60]!r}; there are: {', '.join(ENGINES)}")
    module, _, cls = ENGINES[name].rpartition(".")
    found: Engine = getattr(import_module(module), cls)()
    return found
