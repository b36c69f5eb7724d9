import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROMTOOL = Path(__file__).parents[4] / ".venv" / "prometheus" / "usr" / "bin" / "promtool"


@pytest.fixture
def promtool() -> Callable[..., str]:
    """Run Prometheus' own checker; fails with what it says."""
    if not PROMTOOL.exists():
        pytest.skip("promtool is not there: `make .venv/prometheus/ready` fetches it where apt-get can")

    def run(*words: object, text: bytes | None = None) -> str:
        done = subprocess.run([PROMTOOL, *map(str, words)], input=text, capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        return said

    return run
