"""`python -m include.steps.component`: run a step as the container of a Kubeflow pipeline's component.

The step's last words are left in the lake: Kubeflow's API tells that a container failed, and not what it said.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.foundation import jobs
from include.foundation.lake import Lake
from include.steps.child import run


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run the step. The exit code is the step's."""
    parser = argparse.ArgumentParser(prog="python -m include.steps.component", description=__doc__)
    parser.add_argument("--arguments", type=json.loads, required=True, help="JSON list of what follows `python`")
    parser.add_argument("--environment", type=json.loads, required=True, help="JSON object: more variables")
    parser.add_argument("--failure", required=True, help="URI where the last words of a failed step are left")
    parser.add_argument("--result", required=True, help="URI where the step leaves its record; empty: it leaves none")
    parser.add_argument("--secrets", type=Path, required=True, help="folder with a file for each secret variable")
    options = parser.parse_args(arguments)
    given = {path.name: path.read_text(encoding="utf-8") for path in _files(options.secrets)}
    record = {jobs.RESULT: options.result} if options.result else {}
    variables = {"PYTHONUNBUFFERED": "1", **environ, **given, **options.environment, **record}
    code, said = run([sys.executable, *options.arguments], variables)
    if code and said:
        jobs.fail(Lake.from_env(variables).objects(), options.failure, code=code, said=said)
    return code


def _files(folder: Path) -> list[Path]:
    """The files of a mounted Secret, whose own folders are hidden."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]


if __name__ == "__main__":
    sys.exit(main())
