from collections.abc import Callable
from pathlib import Path

from include.foundation.spec import load_all
from include.stages.observability.__main__ import files

ROOT = Path(__file__).parents[4]


def test_what_is_committed_is_what_the_specs_say() -> None:
    made = files(load_all())
    folders = (ROOT / "deploy/grafana/dashboards", ROOT / "deploy/prometheus/rules")
    kept = {str(path.relative_to(ROOT)): path.read_text() for folder in folders for path in folder.iterdir()}
    assert kept == made, "say: make dashboards"


def test_prometheus_takes_the_rules(promtool: Callable[..., str]) -> None:
    assert "SUCCESS" in promtool("check", "rules", *(ROOT / "deploy/prometheus/rules").iterdir())
