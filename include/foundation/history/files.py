"""History in files: what requests are joined with where there is no online table, as at the edge."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from include.foundation.errors import MissingInput
from include.foundation.history.join import as_of, conform
from include.foundation.spec import View


def write(folder: Path, histories: Mapping[str, pl.DataFrame], views: Mapping[str, View]) -> None:
    """Write `<view>.parquet` for each view.

    Raises:
        InvalidInput: a frame does not conform to its view (see `join.conform`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, view in views.items():
        # Equal history, equal bytes: rows of one moment have an order too.
        rows = conform(histories[name], name=name, view=view).sort("known_at", *view.keys)
        rows.write_parquet(folder / f"{name}.parquet")


class Files:
    """Joins history to requests from the files that `write` wrote: the same bits as batch and the online table.

    Args:
        folder: where they are; read once.
        views: the use case's.

    Raises:
        MissingInput: a view has no file.
        InvalidInput: a file does not conform to its view.
    """

    def __init__(self, folder: Path, views: Mapping[str, View]) -> None:
        self._views = views
        self._histories = {
            name: conform(_read(folder / f"{name}.parquet"), name=name, view=views[name]) for name in views
        }

    def join(self, requests: pl.DataFrame) -> pl.DataFrame:
        """Join every view to the requests, as `join.as_of` does."""
        return as_of(requests, self._histories, self._views)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise MissingInput(f"{path} is not there: make the bundle again") from None
