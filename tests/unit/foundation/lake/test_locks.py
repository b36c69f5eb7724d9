import time
from pathlib import Path

from include.foundation.lake import Lake
from include.foundation.lake.locks import commit_lock, creation_lock


def test_a_catalog_of_one_machine_needs_no_lock(folder_lake: Lake, tmp_path: Path) -> None:
    with creation_lock(folder_lake, "silver.t"), commit_lock(folder_lake, "silver.t", deadline=time.monotonic()):
        pass  # its S3 is nowhere
    assert not [*(tmp_path / "lake").iterdir()]
