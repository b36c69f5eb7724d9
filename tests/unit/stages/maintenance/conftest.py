"""A lake in a folder, whose files can be made old."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], set[str]]:
    """Call it for the names of all files of all tables."""
    return lambda: {path.name for path in (tmp_path / "lake").rglob("*") if path.is_file()}


@pytest.fixture
def age(tmp_path: Path) -> Callable[[], None]:
    """Call it to make every file a year older."""

    def make_old() -> None:
        for path in (tmp_path / "lake").rglob("*"):
            os.utime(path, (path.stat().st_mtime - 365 * 86400,) * 2)

    return make_old
