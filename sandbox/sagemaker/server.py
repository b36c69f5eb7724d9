"""moto's server with training jobs that run."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.responses import SageMakerResponse
from moto.secretsmanager.models import secretsmanager_backends
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from include.foundation.http.depth import DEPTH, is_deep
from sandbox.cluster.images import Images
from sandbox.sagemaker import shapes
from sandbox.sagemaker.faults import Faults
from sandbox.sagemaker.hosting import Hosting
from sandbox.sagemaker.jobs import ENDED, TrainingJob

ACCOUNT = "123456789012"
MAX_BYTES = 6 * 2**20  # of a body, as the API has it for what an endpoint is asked
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
TARGET = "SageMaker."


class Server:
    """A WSGI application.

    Args:
        state: folder for the jobs' files.
        images: the file that says which environments stand for images.
        role: variables that any role gives to a container.
        secrets: what Secrets Manager holds: name to variables.
        region: of the secrets.
    """

    def __init__(
        self,
        *,
        state: Path,
        images: Path,
        role: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
        region: str,
    ) -> None:
        self._state, self._images, self._role = state, Images(images), role
        self._faults, self._lock = Faults(), threading.Lock()
        self._jobs: list[TrainingJob] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        kept = secretsmanager_backends[ACCOUNT][region]
        for name, values in secrets.items():
            kept.create_secret(name, json.dumps(values), None, None, [], None, None, [], False)
        self._replace()
        self._hosting = Hosting(state, images=self._images, role=role, faults=self._faults, log=_log)

    def close(self) -> None:
        """End every job's and every endpoint's processes."""
        for job in self._jobs:
            job.kill()
        self._hosting.close()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if (refusal := _refusal(request)) is not None:
            return refusal(environ, start)
        environ["wsgi.input"] = io.BytesIO(request.get_data())  # moto reads it once more
        if request.path == "/faults":
            self._faults.order(request.get_json())
            return Response(status=204)(environ, start)
        if (invoked := self._hosting.invoked(request)) is not None:
            return invoked(environ, start)
        target = request.headers.get("X-Amz-Target", "")
        if target.startswith(TARGET) and (fault := self._faults.due(target.removeprefix(TARGET))):
            if fault.hang_up:
                environ["werkzeug.socket"].close()
                return []
            body = json.dumps({"__type": fault.code, "message": fault.message})
            return Response(body, status=fault.status, content_type="application/x-amz-json-1.1")(environ, start)
        answer: Iterable[bytes] = self._moto(environ, start)
        return answer

    def _replace(self) -> None:
        """Put what runs in the place of what only remembers."""
        server = self

        def create_training_job(response: SageMakerResponse) -> ActionResult:
            return ActionResult({"TrainingJobArn": server._create(response).arn})

        def describe_training_job(response: SageMakerResponse) -> ActionResult:
            return ActionResult(_named(response).response_object)

        def stop_training_job(response: SageMakerResponse) -> EmptyResult:
            job = _named(response)
            if job.training_job_status in ENDED:
                raise ValidationError(
                    f"The request was rejected because the training job is in status {job.training_job_status}."
                )
            job.stop()
            return EmptyResult()

        SageMakerResponse.create_training_job = create_training_job
        SageMakerResponse.describe_training_job = describe_training_job
        SageMakerResponse.stop_training_job = stop_training_job

    def _create(self, response: SageMakerResponse) -> TrainingJob:
        request = json.loads(response.body)
        shapes.check("CreateTrainingJob", request)
        _refuse(request)
        name, backend = request["TrainingJobName"], response.sagemaker_backend
        arn = f"arn:aws:sagemaker:{response.region}:{ACCOUNT}:training-job/{name}"
        with self._lock:
            if name in backend.training_jobs:
                raise ResourceInUseException(
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({arn})"
                )
            job = TrainingJob(
                request,
                arn=arn,
                place=self._state / name,
                images=self._images,
                role=self._role,
                say=_log(response.region, LOG_GROUP, f"{name}/algo-1-{int(time.time())}"),
                fault=self._faults.due("TrainingJob"),
            )
            backend.training_jobs[name] = job
            self._jobs.append(job)
        return job


def _refusal(request: Request) -> Response | None:
    """The answer to what is not looked at any further."""
    if request.host.partition(":")[0] not in ("127.0.0.1", "localhost"):  # a page of another site, by DNS rebinding
        return Response("this server answers to 127.0.0.1 alone", status=421)
    request.max_content_length = MAX_BYTES
    try:
        body = request.get_data()
    except RequestEntityTooLarge:
        return Response(f"a body has {MAX_BYTES} bytes at most", status=413)
    if "X-Amz-Target" in request.headers and is_deep(body):
        return Response(f"the JSON is nested more than {DEPTH} levels deep", status=400)
    return None


def _named(response: SageMakerResponse) -> TrainingJob:
    job = response.sagemaker_backend.training_jobs.get(json.loads(response.body)["TrainingJobName"])
    if job is None:
        raise ValidationError("Requested resource not found.")
    return job  # type: ignore[no-any-return]


def _refuse(request: Mapping[str, Any]) -> None:
    """What the API demands beyond the shapes, and what is left out here."""
    algorithm, limits = request["AlgorithmSpecification"], request["StoppingCondition"]
    if "TrainingImage" not in algorithm:
        raise ValidationError("Left out here: algorithms of the marketplace. Name a TrainingImage")
    if request["ResourceConfig"].get("InstanceCount", 1) != 1:
        raise ValidationError("Left out here: InstanceCount above 1")
    if algorithm["TrainingInputMode"] != "File":
        raise ValidationError("Left out here: input modes other than File")
    if request.get("EnableManagedSpotTraining"):
        if limits.get("MaxWaitTimeInSeconds", 0) < limits.get("MaxRuntimeInSeconds", 86400):
            raise ValidationError("MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds for managed spot training")
    elif "MaxWaitTimeInSeconds" in limits:
        raise ValidationError("MaxWaitTimeInSeconds may only be given with EnableManagedSpotTraining")


def _log(region: str, group: str, stream: str) -> Callable[[str], None]:
    backend = logs_backends[ACCOUNT][region]
    if group not in backend.groups:
        backend.create_log_group(group, {})
    backend.create_log_stream(group, stream)

    def say(line: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": line or " "}
        backend.put_log_events(group, stream, [event])

    return say
