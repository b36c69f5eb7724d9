"""How days are divided; the rest needs a Spark (tests/integration/test_engine.py)."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.engine.spark.member import divide

REPO = Path(__file__).parents[4]
D = [date(2013, 1, 1) + timedelta(days=n) for n in range(10)]


@pytest.mark.parametrize("most", [1, 3, 4, 10, 99])
def test_every_day_is_in_one_part_in_order_and_parts_are_not_too_many(most):
    parts = divide(D, most)
    assert [day for part in parts for day in part] == D
    assert len(parts) <= most
    assert max(map(len, parts)) - min(map(len, parts[:-1] or parts)) <= 0


def test_without_days_there_is_a_part_without_days():
    assert divide([], 8) == [[]]


ALONE = """
import re, sys
from importlib.metadata import packages_distributions
from pathlib import Path
names = re.findall(r"^([\\w.-]+)==", Path(sys.argv[1]).read_text(), re.M)
locked = {re.sub("[-_.]+", "-", name.lower()) for name in names}
there = {
    module: {re.sub("[-_.]+", "-", each.lower()) for each in each_of}
    for module, each_of in packages_distributions().items()
}
class Others:
    def find_spec(name, path=None, target=None):
        if path is None and name in there and not there[name] & locked:
            raise ModuleNotFoundError(f"requirements/spark.txt has no {name}", name=name)
sys.meta_path.insert(0, Others)
import include.stages.features.build, include.stages.ingest.publish, include.use_cases.flight_delays.features
import include.use_cases.flight_delays.contract
"""


def test_its_environment_has_what_the_work_imports():
    """The work is every engine's code; Spark's environment is its own."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(REPO / "requirements" / "spark.txt")],
        cwd=REPO,
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
