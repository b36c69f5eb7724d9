"""`python -m include.steps.sagemaker`: run a step as SageMaker runs a training image.

What to do is read from `/opt/ml/input`, what came of it is left in `/opt/ml/model` and `/opt/ml/output/failure`
(docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html). The image answers to `train` too, the one
argument that SageMaker gives to an image whose job names no entrypoint (`/srv/train` in the Dockerfile).

- Hyperparameter `arguments`: a JSON list of what follows `python`.
- Variable `FLIGHTLINE_SECRET`: name of the Secrets Manager secret that holds the variables of `flightline-trainer` as
  one JSON object. A job's own environment is no place for them: anyone who may describe the job reads it.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.foundation.echo import cause, quoted
from include.foundation.errors import AccessRefused, FlightlineError, InvalidInput, PermanentError, ServiceUnavailable
from include.foundation.jobs import PERMANENT
from include.steps.child import run

BASE = "SAGEMAKER_BASE_DIR"  # the variable by which AWS's own toolkit moves /opt/ml, for tests
KEPT_IN = "FLIGHTLINE_SECRET"
ARGUMENTS = "arguments"
LONGEST_FAILURE = 1024  # characters that SageMaker keeps
REFUSED = ("AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the job's step. The exit code is the step's; 65 says that a retry cannot help."""
    base = Path(environ.get(BASE, "/opt/ml"))
    try:
        arguments = _arguments(base)
        variables = {"PYTHONUNBUFFERED": "1", **environ, **_secret(environ), **_folders(base, environ)}
    except FlightlineError as error:
        code = PERMANENT if isinstance(error, PermanentError) else 1
        said = f"{type(error).__name__}: {error}"
        sys.stdout.write(f"{said}\n")
    else:
        code, said = run([sys.executable, *arguments], variables)
    if code and said:
        _fail(base, f"exit code {code}: {said}")
    return code


def _arguments(base: Path) -> list[str]:
    """What follows `python`."""
    hosts = _read(base, "resourceconfig.json").get("hosts", [])
    if len(hosts) > 1:
        raise InvalidInput(f"the job has {len(hosts)} hosts, and each would do the same work: ask for InstanceCount 1")
    given = _read(base, "hyperparameters.json").get(ARGUMENTS)
    try:
        arguments = json.loads(given) if isinstance(given, str) else None
    except ValueError:
        arguments = None
    if not isinstance(arguments, list) or not arguments or not all(isinstance(each, str) for each in arguments):
        raise InvalidInput(
            f"hyperparameter `{ARGUMENTS}` is {quoted(given)}; it must be a JSON list of what follows `python`, such "
            'as ["-m", "include.steps", "fit", "--run-id", "…"]'
        )
    return arguments


def _folders(base: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables by which SageMaker's own toolkit names the folders, and the name of the worker.

    Raises:
        InvalidInput: a channel is no folder of files.
    """
    folders = {"SM_MODEL_DIR": base / "model", "SM_CHECKPOINT_DIR": base / "checkpoints"}
    for name, channel in _read(base, "inputdataconfig.json", optional=True).items():
        folder = base / "input" / "data" / name
        if channel.get("TrainingInputMode", "File") == "Pipe" or not folder.is_dir():
            raise InvalidInput(f"channel {quoted(name)} is not there as files: ask for TrainingInputMode File")
        folders[f"SM_CHANNEL_{name.upper().replace('-', '_')}"] = folder
    named = {name: str(folder) for name, folder in folders.items() if folder.is_dir()}
    return named | {"POD_NAME": environ.get("TRAINING_JOB_NAME", "sagemaker")}


def _secret(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that the job's secret holds.

    Raises:
        ServiceUnavailable: Secrets Manager does not answer.
        AccessRefused: there is no such secret for the job's role.
        InvalidInput: it holds something else.
    """
    if not (name := environ.get(KEPT_IN)):
        return {}
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        found = boto3.client("secretsmanager", region_name=region).get_secret_value(SecretId=name)["SecretString"]
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        kind = AccessRefused if code in REFUSED else ServiceUnavailable
        raise kind(f"secret {quoted(name)}: {cause(error)}") from error
    try:
        values = json.loads(found)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InvalidInput(f"secret {quoted(name)} must hold one JSON object, variable to value")
    return {str(key): str(value) for key, value in values.items()}


def _read(base: Path, name: str, *, optional: bool = False) -> dict[str, Any]:
    path = base / "input" / "config" / name
    if optional and not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read, so this is no training job of SageMaker: {cause(error)}") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} is not a JSON object")
    return found


def _fail(base: Path, text: str) -> None:
    """Leave why: SageMaker shows it as the job's FailureReason."""
    head, _, rest = text.partition(": ")
    (base / "output").mkdir(parents=True, exist_ok=True)
    room = LONGEST_FAILURE - len(head) - 2
    (base / "output" / "failure").write_text(f"{head}: {rest[-room:]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
