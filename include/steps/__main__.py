"""`python -m include.steps <command>`: the work of the Dags, as pods and shells run it."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from include.foundation import jobs
from include.foundation.errors import FlightlineError, PermanentError
from include.foundation.jobs import PERMANENT
from include.foundation.lake import Lake
from include.foundation.spec import blame
from include.stages.gates import Report
from include.stages.training import usage
from include.stages.training.fitting import Fitted
from include.stages.training.runs import Training
from include.stages.training.settings import Settings, services
from include.steps.bundle import bundle
from include.steps.deploys import deploys
from include.steps.fit import fit
from include.steps.gate import gate
from include.steps.monitor import monitor
from include.steps.prepare import prepare
from include.steps.register import register_version, registered
from include.steps.sample import sample
from include.steps.score import score
from include.steps.train import train
from include.steps.trial import trial

log = logging.getLogger("include.steps")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m include.steps", description=__doc__)
    steps = root.add_subparsers(dest="command", required=True)

    prepare = steps.add_parser("prepare", help="freeze the data, open (or rejoin) MLflow run and tuning experiment")
    prepare.add_argument("use_case", help="name of the use case, a folder of include/use_cases")
    prepare.add_argument("--start", type=date.fromisoformat, help="first day of the window (default: as the spec says)")
    prepare.add_argument("--end", type=date.fromisoformat, help="last day of the window (default: newest day of gold)")
    prepare.add_argument("--trials", type=int, help="tuning budget (default: the spec's)")
    prepare.add_argument("--parallelism", type=int, help="workers at a time (default: the spec's)")
    prepare.add_argument("--seed", type=int, help="seed of every random choice (default: the spec's)")
    prepare.add_argument(
        "--serving-image", default="none", help="image that will serve the version, for the manifest (default: none)"
    )
    prepare.add_argument("--rerun", type=int, default=0, help="raise it to train once more on the same data")

    check = steps.add_parser("check", help="check a use case, its modules and a few landed files; needs no service")
    check.add_argument("use_case", help="name of the use case, a folder of include/use_cases")
    check.add_argument("--landed", type=Path, help="a folder with <source>/<day>.csv, named as they land")

    def of_a_run(name: str, text: str) -> argparse.ArgumentParser:
        step = steps.add_parser(name, help=text)
        step.add_argument("--run-id", required=True, help="the MLflow run that `prepare` opened")
        return step

    trial = of_a_run("trial", "be a tuning worker until the budget is spent: suggest, fit, evaluate, observe")
    trial.add_argument("--worker", help="this worker's name, the same when it is retried (default: the pod's name)")
    of_a_run("fit", "refit the best parameters, export, check, store and log the model")
    of_a_run("register", "register the fitted model as a version")
    of_a_run("train", "trial, fit, register and gate in turn, as one job")
    monitor = steps.add_parser("monitor", help="watch the champion on what came since its training")
    monitor.add_argument("use_case", help="name of the use case")
    scored = steps.add_parser("score", help="answer gold's rows with a version, into the lake's table of scores")
    scored.add_argument("use_case", help="name of the use case")
    scored.add_argument("--start", type=date.fromisoformat, required=True, help="first day")
    scored.add_argument("--end", type=date.fromisoformat, required=True, help="last day, included")
    scored.add_argument("--version", help="registered version that answers (default: the champion)")
    scored.add_argument("--snapshot", type=int, help="snapshot of gold to read (default: the current one)")
    bundled = steps.add_parser("bundle", help="one directory that answers as a version does, with no network")
    bundled.add_argument("use_case", help="name of the use case")
    bundled.add_argument("--version", help="registered version (default: the champion)")
    bundled.add_argument("--days", type=int, help="newest days whose history goes along (default: as online)")
    bundled.add_argument("--folder", type=Path, help="leave the directory there, beside the archive in the store")
    told = steps.add_parser("deploys", help="how often, how fast and how well versions came to production (DORA)")
    told.add_argument("use_case", help="name of the use case")
    told.add_argument("--repository", required=True, help="a clone of the GitOps repository, bare or not")
    told.add_argument("--days", type=int, default=90, help="to look back (default: 90)")
    gate = of_a_run("gate", "judge the fitted model on the holdout; exit code 0 when the report is written")
    answers = steps.add_parser(
        "sample", help="requests of gold's newest day and what this image's code answers, as JSON"
    )
    answers.add_argument("use_case", help="name of the use case")
    answers.add_argument("--uri", required=True, help="of the model file")
    answers.add_argument("--digest", required=True, help="SHA-256 of the model file")
    gate.add_argument(
        "--version", help="registered version that gets the verdict as its tag `gate` (default: the one of this run)"
    )
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. One line on stderr for an error that has a name; exit code 65 if a retry cannot help, else 1."""
    options = parser().parse_args(arguments)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "1")
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    logging.getLogger("include").setLevel(logging.INFO)
    try:
        answer = run(options)
    except FlightlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return PERMANENT if isinstance(error, PermanentError) else 1
    print(answer if isinstance(answer, str) else json.dumps(answer))
    return 0


def run(options: argparse.Namespace) -> Any:
    """Run the parsed command. Its answer, a JSON value, is printed, and recorded where a job is asked to."""
    if options.command == "prepare":
        return prepare(
            options.use_case,
            **services(),
            image=Settings.from_env().image,
            serving_image=options.serving_image,
            start=options.start,
            end=options.end,
            trials=options.trials,
            parallelism=options.parallelism,
            seed=options.seed,
            rerun=options.rerun,
        )
    if options.command == "sample":
        return sample(Lake.from_env(), options.use_case, uri=options.uri, digest=options.digest)
    if options.command in ("score", "bundle"):
        return _recorded(_of_version(options))
    if options.command in ("check", "deploys"):
        return _told(options)
    if options.command == "monitor":
        return _recorded(monitor(options.use_case, settings=Settings.from_env(), **services()))
    training = Training.from_env(options.run_id)
    with blame(training.part):
        answer = _recorded(_step(options, training))
    usage.record(training.client, training.run_id, options.command, getattr(options, "worker", None) or "")
    return answer


def _of_version(options: argparse.Namespace) -> dict[str, Any]:
    parts = services()
    said: dict[str, Any] = {"client": parts["client"], "lake": parts["lake"], "version": options.version}
    if options.command == "bundle":
        return bundle(options.use_case, **said, days=options.days, folder=options.folder)
    return score(options.use_case, **said, start=options.start, end=options.end, snapshot_id=options.snapshot)


def _told(options: argparse.Namespace) -> str:
    """A sentence for a person."""
    if options.command == "deploys":
        return str(deploys(options.use_case, options.repository, days=options.days))
    from include.steps.check import check  # needs pandera, which a trainer's image lacks

    for line in check(options.use_case, options.landed):
        log.info("%s", line)
    return f"{options.use_case} is sound"


def _recorded(answer: Any) -> Any:
    if uri := os.environ.get(jobs.RESULT):
        jobs.write(Lake.from_env().objects(), uri, answer)
    return answer


def _step(options: argparse.Namespace, training: Training) -> Any:
    match options.command:
        case "trial":
            return {"trials": trial(training, options.worker)}
        case "fit":
            return _fitted(fit(training))
        case "register":
            return {"version": register_version(training).version}
        case "gate":
            return _judged(gate(training, options.version or registered(training)))
        case _:
            fitted, report = train(training)
            _fitted(fitted)
            return _judged(report)


def _fitted(fitted: Fitted) -> dict[str, Any]:
    if folder := os.environ.get("SM_MODEL_DIR"):  # a SageMaker job's own model artifact
        Path(folder, "model.onnx").write_bytes(fitted.data)
    return {"digest": fitted.digest, "deviation": fitted.deviation, **fitted.metrics}


def _judged(report: Report) -> dict[str, Any]:
    log.info("%s", report.markdown())
    return {"passed": report.passed, "failed": [gate.name for gate in report.gates if not gate.passed]}


if __name__ == "__main__":
    sys.exit(main())
