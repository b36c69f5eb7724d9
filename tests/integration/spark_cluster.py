"""Where the tests of `engine: spark` run, and what they are marked with."""

from pathlib import Path

import pytest

SPARK = Path(__file__).parents[2] / ".venv" / "spark"
NEEDS_SPARK = [
    pytest.mark.spark,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not (SPARK / "ready").exists(), reason="PySpark is not installed: make test-spark installs it and runs this"
    ),
]
