"""`python -m include.steps.data <command>`: ingest and features on the engine that the spec names, as one job.

A program apart from `include.steps`: its image holds an engine, and no library that trains or tracks.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

from include.engine import ENGINES
from include.foundation import jobs
from include.foundation.errors import FlightlineError, PermanentError
from include.foundation.lake import Lake
from include.foundation.lake.commit_log import expand
from include.foundation.spec import UseCase, load
from include.foundation.spec.engine import Engine


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m include.steps.data", description=__doc__)
    steps = root.add_subparsers(dest="command", required=True)
    ingest = steps.add_parser("ingest", help="landed files of days to bronze, quarantine and silver")
    ingest.add_argument("use_case", help="name of the use case, a folder of include/use_cases")
    ingest.add_argument("--days", required=True, help="2013-01-01..2013-01-31,2013-02-07")
    ingest.add_argument("--run-id", required=True, help="the run, as people look it up; the same again finishes it")
    features = steps.add_parser("features", help="silver of days to gold")
    features.add_argument("use_case", help="name of the use case, a folder of include/use_cases")
    features.add_argument("--start", type=date.fromisoformat, required=True, help="first day")
    features.add_argument("--end", type=date.fromisoformat, required=True, help="last day, included")
    for each in (ingest, features):
        each.add_argument("--engine", choices=[*ENGINES], help="instead of the spec's: the same rows result")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. One line on stderr for an error that has a name; exit code 65 if a retry cannot help, else 1."""
    options = parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    logging.getLogger("include").setLevel(logging.INFO)
    try:
        spec = load(options.use_case)
        if options.engine:
            spec = spec.model_copy(update={"engine": Engine(name=options.engine)})
        lake = Lake.from_env()
        answer = run(lake, spec, options)
        if uri := os.environ.get(jobs.RESULT):
            jobs.write(lake.objects(), uri, answer)
    except FlightlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return jobs.PERMANENT if isinstance(error, PermanentError) else 1
    print(json.dumps(answer))  # noqa: T201
    return 0


def run(lake: Lake, spec: UseCase, options: argparse.Namespace) -> Any:
    """Run the parsed command; its answer is a JSON value."""
    if options.command == "features":
        from include.stages.features.build import build

        report = build(lake, spec, options.start, options.end).model_dump(mode="json")
        return {"start": options.start.isoformat(), "end": options.end.isoformat(), **report}
    from include.stages.ingest.plan import Plan
    from include.stages.ingest.publish import publish

    plan = Plan.of(lake, spec, expand(options.days))
    return [each.model_dump(mode="json") for each in publish(lake, spec, plan, run_id=options.run_id)]


if __name__ == "__main__":
    sys.exit(main())
