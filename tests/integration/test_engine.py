"""Every engine keeps the contract of `include/engine/protocol.py`."""

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from include.engine import ENGINES
from include.foundation.lake import Lake
from tests.integration.engine_cases import CASES
from tests.integration.spark_cluster import NEEDS_SPARK, SPARK

pytestmark = pytest.mark.integration

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(new_lake: Callable[[], Lake]) -> Callable[[str], dict[str, str | None]]:
    """What became of the cases, by engine."""

    @cache
    def run(engine: str) -> dict[str, str | None]:
        python = {"spark": SPARK}.get(engine, REPO / ".venv/dev") / "bin/python"
        environ = {**os.environ, **new_lake().env(), "PYTHONPATH": str(REPO)}
        environ["PYSPARK_SUBMIT_ARGS"] = "--master local[2] --conf spark.ui.enabled=false pyspark-shell"
        command = [str(python), "tests/integration/engine_cases.py", engine]
        done = subprocess.run(command, cwd=REPO, env=environ, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        found: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


@pytest.mark.parametrize("case", [case.__name__ for case in CASES])
@pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=NEEDS_SPARK if name == "spark" else ()) for name in ENGINES]
)
def test_an_engine_keeps_the_contract(engine: str, case: str, told: Callable[[str], dict[str, str | None]]) -> None:
    assert told(engine)[case] is None, told(engine)[case]
