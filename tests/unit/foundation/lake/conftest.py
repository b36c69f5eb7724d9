"""A lake without services: the catalog in SQLite, tables in a folder."""

from pathlib import Path

import pytest

from include.foundation.lake import Lake


@pytest.fixture
def folder_lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(
        catalog_properties={
            "type": "sql",
            "uri": f"sqlite:///{tmp_path}/catalog.db",
            "warehouse": f"file://{tmp_path}/lake",
        },
        landing="s3://landing",
        models="s3://models",
    )
