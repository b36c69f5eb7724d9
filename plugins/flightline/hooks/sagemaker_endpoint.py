"""SageMaker's endpoints: models and configurations named by their content, one endpoint, its answers."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from flightline.exceptions import SageMakerAnswersDiffer, SageMakerRefused
from flightline.hooks.sagemaker import CALLS, AccountHook, code, named
from include.foundation.echo import cut

IN_SERVICE, FAILED = "InService", "Failed"
MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
STILL = (IN_SERVICE, "OutOfService", "UpdateRollbackFailed", FAILED)
VERIFIED = "flightline:verified"  # the tag of an endpoint: the configuration whose answers were compared last

Document = dict[str, Any]


class EndpointsHook(AccountHook):
    """Endpoints, and what they are made of. Every method may raise SageMakerUnavailable and SageMakerRefused."""

    @cached_property
    def _runtime(self) -> Any:
        url = self.conn_config.get_service_endpoint_url("sagemaker-runtime")
        return self.get_session().client("sagemaker-runtime", endpoint_url=url, config=CALLS)

    def describe(self, name: str) -> Document | None:
        """The endpoint; None if there is none."""
        return self._find("describe_endpoint", EndpointName=name)

    def create(self, name: str, config: str, tags: Mapping[str, str]) -> None:
        """Order the endpoint; nothing if another task has ordered it meanwhile."""
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._make("create_endpoint", EndpointName=name, EndpointConfigName=config, Tags=listed)

    def update(self, name: str, config: str) -> None:
        """Order another configuration: what serves goes on until the new machines answer."""
        self._call("update_endpoint", EndpointName=name, EndpointConfigName=config)

    def delete(self, name: str) -> None:
        """Order its end."""
        self._call("delete_endpoint", EndpointName=name)

    def ensure(self, model: Document, config: Document) -> None:
        """Make the model and the configuration where they are not there.

        Raises:
            SageMakerRefused: another model has this name.
        """
        found = self._find("describe_model", ModelName=model["ModelName"])
        if found is None:
            self._make("create_model", **model)
            found = self._find("describe_model", ModelName=model["ModelName"]) or {}
        has, wants = found.get("PrimaryContainer") or {}, model["PrimaryContainer"]
        if any(has.get(key) != wants.get(key) for key in ("Image", "ModelDataUrl")):
            raise SageMakerRefused(f"model {model['ModelName']} is there with other content: {cut(str(has), 300)}")
        if self._find("describe_endpoint_config", EndpointConfigName=config["EndpointConfigName"]) is None:
            self._make("create_endpoint_config", **config)

    def models_of(self, config: str) -> list[str]:
        """The models that a configuration names."""
        found = self._find("describe_endpoint_config", EndpointConfigName=config) or {}
        return [each["ModelName"] for each in found.get("ProductionVariants", ())]

    def configs(self, part: str) -> list[str]:
        """Names of the configurations that have this in them."""
        pages = self._pages("list_endpoint_configs", NameContains=part)
        return [each["EndpointConfigName"] for page in pages for each in page["EndpointConfigs"]]

    def models(self, part: str) -> list[str]:
        """Names of the models that have this in them."""
        return [each["ModelName"] for page in self._pages("list_models", NameContains=part) for each in page["Models"]]

    def remove(self, *, configs: list[str], models: list[str]) -> None:
        """Delete configurations, then models; what is gone already is fine."""
        for name in configs:
            self._find("delete_endpoint_config", EndpointConfigName=name)
        for name in models:
            self._find("delete_model", ModelName=name)

    def verified(self, arn: str) -> str | None:
        """The configuration whose answers were compared last."""
        pages = self._pages("list_tags", ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return tags.get(VERIFIED)

    def set_verified(self, arn: str, config: str) -> None:
        """Note that the configuration's answers are right."""
        self._call("add_tags", ResourceArn=arn, Tags=[{"Key": VERIFIED, "Value": config}])

    def abandon(self, name: str) -> None:
        """Delete an endpoint that never answered for anything; an update cannot be stopped, so another is left.

        Raises:
            SageMakerRefused: SageMaker does not delete it now.
        """
        found = self.describe(name)
        if found and found["EndpointStatus"] != "Deleting" and not self.verified(found["EndpointArn"]):
            self.delete(name)

    def invoke(self, name: str, content: Any) -> Any:
        """The endpoint's answer to JSON.

        Raises:
            SageMakerAnswersDiffer: its container refuses.
        """
        body = json.dumps(content).encode()
        with named(f"InvokeEndpoint {name}"):
            try:
                said = self._runtime.invoke_endpoint(EndpointName=name, ContentType="application/json", Body=body)
            except ClientError as error:
                if code(error) != "ModelError":
                    raise
                raise SageMakerAnswersDiffer(
                    f"{name} answers {error.response.get('OriginalStatusCode')}: {cut(str(error), 500)}"
                ) from error
            answer = said["Body"].read()
        try:
            return json.loads(answer)
        except ValueError as error:
            raise SageMakerAnswersDiffer(f"{name} does not answer JSON: {cut(repr(answer), 300)}") from error

    def page(self, name: str) -> str:
        """Where a person looks at the endpoint."""
        return self._console(f"endpoints/{name}")

    def _call(self, operation: str, **request: Any) -> Any:
        with named(_words(operation, request)):
            return getattr(self.get_conn(), operation)(**request)

    def _find(self, operation: str, **request: Any) -> Document | None:
        """What the call tells; None if what it is about is not there: the API has no code of its own for it."""
        with named(_words(operation, request)):
            try:
                found: Document = getattr(self.get_conn(), operation)(**request)
            except ClientError as error:
                if code(error) in ("ValidationException", "ResourceNotFound") and "Could not find" in str(error):
                    return None
                raise
        return found

    def _make(self, operation: str, **request: Any) -> None:
        """Make a thing; nothing if another task has made it meanwhile."""
        with named(_words(operation, request)):
            try:
                getattr(self.get_conn(), operation)(**request)
            except ClientError as error:
                if "already existing" not in str(error):
                    raise

    def _pages(self, operation: str, **request: Any) -> Iterator[Document]:
        with named(_words(operation, request)):
            yield from self.get_conn().get_paginator(operation).paginate(**request)


def _words(operation: str, request: Mapping[str, Any]) -> str:
    return f"{operation} {cut(str(next(iter(request.values()))), 120)}"
