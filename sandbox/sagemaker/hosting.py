"""The calls about models, configurations and endpoints, and `InvokeEndpoint` of the runtime API."""

import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.responses import SageMakerResponse
from werkzeug.wrappers import Request, Response

from sandbox.cluster.images import Images
from sandbox.sagemaker import containers, shapes
from sandbox.sagemaker.endpoints import Container, Endpoint, NotUpError
from sandbox.sagemaker.faults import Faults

INVOCATIONS = re.compile(r"/endpoints/(?P<name>[^/]+)/invocations")
MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
LOG_GROUP = "/aws/sagemaker/Endpoints/"


class Hosting:
    """Puts endpoints that answer in the place of moto's.

    Args:
        state: folder for the containers' files.
        images: which environments stand for images.
        role: variables that any role gives to a container.
        faults: what is to go wrong.
        log: opens a stream: region, group, stream.
    """

    def __init__(
        self,
        state: Path,
        *,
        images: Images,
        role: Mapping[str, str],
        faults: Faults,
        log: Callable[[str, str, str], Callable[[str], None]],
    ) -> None:
        self._state, self._images, self._role, self._faults, self._log = state, images, role, faults, log
        self._endpoints: dict[str, Endpoint] = {}
        self._models: dict[str, dict[str, Any]] = {}  # as they were asked for: moto forgets a part
        self._processes: list[subprocess.Popen[str]] = []
        self._closed = False
        self._lock = threading.RLock()
        self._replace()

    def close(self) -> None:
        """End every container, those that have not answered yet too; none starts afterwards."""
        with self._lock:
            self._closed = True
            for process in self._processes:
                containers.kill(process)

    def invoked(self, request: Request) -> Response | None:
        """The answer of `InvokeEndpoint`; None if the request is another one."""
        match = INVOCATIONS.fullmatch(request.path)
        if not match or request.method != "POST":
            return None
        if fault := self._faults.due("InvokeEndpoint"):
            return _error(fault.status, fault.code, message=fault.message)
        endpoint = self._endpoints.get(match["name"])
        if endpoint is None or endpoint.container is None or endpoint.endpoint_status == "Deleting":
            return _error(400, "ValidationError", message=f"Endpoint {match['name']} of account not found.")
        headers = {"Content-Type": request.content_type or "application/octet-stream"}
        status, body, media = endpoint.container.ask(request.get_data(), headers)
        if status != 200:
            told = body.decode(errors="replace")
            message = f'Received client error ({status}) from primary with message "{told}".'
            return _error(424, "ModelError", Message=message, OriginalStatusCode=status, OriginalMessage=told)
        return Response(body, content_type=media, headers={"x-Amzn-Invoked-Production-Variant": "all"})

    def _replace(self) -> None:
        """Hold moto's own to the API, and put what runs in the place of what only remembers."""
        hosting, made = self, SageMakerResponse
        make_model, make_config, add_tags = made.create_model, made.create_endpoint_config, made.add_tags
        drop_config = made.delete_endpoint_config

        def create_model(response: SageMakerResponse) -> ActionResult:
            request = _asked(response, "CreateModel")
            if request["ModelName"] in response.sagemaker_backend._models:
                raise ValidationError(f'Cannot create already existing model "{request["ModelName"]}".')
            hosting._models[request["ModelName"]] = request
            return make_model(response)

        def create_endpoint_config(response: SageMakerResponse) -> ActionResult:
            request = _asked(response, "CreateEndpointConfig")
            if len(request["ProductionVariants"]) != 1:
                raise ValidationError("Left out here: several production variants")
            if request["EndpointConfigName"] in response.sagemaker_backend.endpoint_configs:
                raise ValidationError(
                    f'Cannot create already existing endpoint configuration "{request["EndpointConfigName"]}".'
                )
            return make_config(response)

        def delete_endpoint_config(response: SageMakerResponse) -> ActionResult:
            name = json.loads(response.body)["EndpointConfigName"]
            if any(each.uses(name) for each in hosting._endpoints.values()):
                raise ValidationError(f'Cannot delete endpoint configuration "{name}": an endpoint uses it.')
            return drop_config(response)

        def create_endpoint(response: SageMakerResponse) -> ActionResult:
            request = _asked(response, "CreateEndpoint")
            return ActionResult({"EndpointArn": hosting._create(response, request).arn})

        def update_endpoint(response: SageMakerResponse) -> ActionResult:
            request = _asked(response, "UpdateEndpoint")
            endpoint = hosting._named(response)
            if endpoint.endpoint_status in MOVING:
                raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
            if endpoint.endpoint_status == "Failed":
                raise ValidationError(f'Cannot update failed endpoint "{endpoint.arn}".')
            response.sagemaker_backend.describe_endpoint_config(request["EndpointConfigName"])
            endpoint.order(request["EndpointConfigName"], "Updating", hosting._faults.due("Endpoint"))
            return ActionResult({"EndpointArn": endpoint.arn})

        def describe_endpoint(response: SageMakerResponse) -> ActionResult:
            return ActionResult(hosting._named(response).response_object)

        def delete_endpoint(response: SageMakerResponse) -> EmptyResult:
            endpoint, backend = hosting._named(response), response.sagemaker_backend

            def gone() -> None:
                hosting._endpoints.pop(endpoint.endpoint_name, None)
                backend.endpoints.pop(endpoint.endpoint_name, None)

            endpoint.end(gone)
            return EmptyResult()

        def overwrite_tags(response: SageMakerResponse) -> ActionResult:
            add_tags(response)
            resource = response.sagemaker_backend._get_resource_from_arn(json.loads(response.body)["ResourceArn"])
            resource.tags[:] = {tag["Key"]: tag for tag in resource.tags}.values()
            return ActionResult({"Tags": resource.tags})

        made.create_model, made.create_endpoint_config = create_model, create_endpoint_config
        made.delete_endpoint_config, made.add_tags = delete_endpoint_config, overwrite_tags
        made.create_endpoint, made.update_endpoint = create_endpoint, update_endpoint
        made.describe_endpoint, made.delete_endpoint = describe_endpoint, delete_endpoint

    def _create(self, response: SageMakerResponse, request: dict[str, Any]) -> Endpoint:
        name, backend = request["EndpointName"], response.sagemaker_backend
        arn = f"arn:aws:sagemaker:{response.region}:{backend.account_id}:endpoint/{name}"
        backend.describe_endpoint_config(request["EndpointConfigName"])
        with self._lock:
            if name in self._endpoints:
                raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
            say = self._log(response.region, LOG_GROUP + name, f"all/i-{uuid.uuid4().hex[:17]}-{int(time.time())}")
            endpoint = Endpoint(
                name, arn=arn, tags=request.get("Tags", []), start=partial(self._start, backend, say=say)
            )
            self._endpoints[name] = backend.endpoints[name] = endpoint
        endpoint.order(request["EndpointConfigName"], "Creating", self._faults.due("Endpoint"))
        return endpoint

    def _start(self, backend: Any, config: str, *, say: Callable[[str], None]) -> Container:
        (variant,) = backend.describe_endpoint_config(config)["ProductionVariants"]
        backend.describe_model(variant["ModelName"])
        model = self._models[variant["ModelName"]]
        place = self._state / f"endpoint-{uuid.uuid4().hex[:12]}"
        return Container(model, variant, place=place, images=self._images, role=self._role, say=say, run=self._run)

    def _run(self, *asked: Any) -> "subprocess.Popen[str]":
        with self._lock:
            if self._closed:
                raise NotUpError("the server has ended")
            self._processes = [each for each in self._processes if each.poll() is None]
            self._processes.append(process := containers.start(*asked))
        return process

    def _named(self, response: SageMakerResponse) -> Endpoint:
        name = json.loads(response.body)["EndpointName"]
        if name not in self._endpoints:
            raise ValidationError(f'Could not find endpoint "{name}".')
        return self._endpoints[name]


def _asked(response: SageMakerResponse, operation: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(response.body)
    shapes.check(operation, request)
    return request


def _error(status: int, code: str, **body: Any) -> Response:
    return Response(
        json.dumps(body), status=status, content_type="application/json", headers={"x-amzn-ErrorType": code}
    )
