"""`python -m include.stages.observability`: write the dashboard and the alerting rules of every use case."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import yaml

from include.foundation.spec import UseCase, load_all
from include.stages.observability.alerts import rules
from include.stages.observability.dashboard import dashboard

ROOT = Path(__file__).parents[3]
HEAD = "# Made of the spec by `make dashboards`: change that, not this.\n"


def files(specs: Iterable[UseCase]) -> dict[str, str]:
    """Path in the repository -> text."""
    found = {}
    for spec in specs:
        found[f"deploy/grafana/dashboards/{spec.name}.json"] = dashboard(spec)
        text = yaml.safe_dump(rules(spec), sort_keys=False, width=110)
        found[f"deploy/prometheus/rules/{spec.name}.yaml"] = HEAD + text
    return found


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m include.stages.observability", description=__doc__).parse_args()
    for name, text in files(load_all()).items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
        print(name)
