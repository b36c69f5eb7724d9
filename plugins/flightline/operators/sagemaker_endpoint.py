"""An endpoint of SageMaker: bring a version to it, go back by the configuration before, delete what is left over."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from flightline import notes
from flightline.exceptions import SageMakerAnswersDiffer, SageMakerEndpointFailed, SageMakerError, SageMakerRefused
from flightline.links.pages import HostedLink
from flightline.triggers.sagemaker_endpoint import EndpointTrigger
from include.foundation.echo import cut, listing, quoted

if TYPE_CHECKING:
    from airflow.sdk import Context

    from flightline.hooks.sagemaker_endpoint import EndpointsHook


class _EndpointOperator(BaseOperator):
    """Has a Connection of SageMaker; the hook's import costs seconds, so it is made when the task executes."""

    ui_color = "#f5d9b0"

    def __init__(self, *, conn_id: str = "sagemaker", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @cached_property
    def hook(self) -> "EndpointsHook":
        """SageMaker."""
        from flightline.hooks.sagemaker_endpoint import EndpointsHook

        return EndpointsHook(self.conn_id)


class SageMakerDeployOperator(_EndpointOperator):
    """Let the use case's endpoint serve a version, and compare its answers with the version's own.

    What SageMaker says of the endpoint decides which step is next: a retry, and a task that is cleared, go on where it
    stands. What served before answers until the new machines do. If they do not come up SageMaker keeps what served;
    if they answer otherwise the configuration that was compared last comes back, and an endpoint that never had one
    is deleted. Either way the new configuration and its model are deleted.

    Args:
        variant: what is hosted (`include.stages.promotion.endpoint.variant`).
        timeout: seconds for everything, going back included.
        poll_seconds: between two looks.
        deferrable: wait in the triggerer instead of the worker.
        conn_id: Connection of SageMaker.

    Returns (XCom): `{"endpoint", "config", "model", "version"}`.

    Raises:
        SageMakerAnswersDiffer: the endpoint does not answer the sample as the version does.
        SageMakerEndpointFailed: the machines did not come up, or not in time.
        SageMakerRefused: a request can never be granted, or the endpoint is in no state that is known.
        SageMakerUnavailable: no answer.
    """

    template_fields: Sequence[str] = ("variant", "conn_id")
    template_fields_renderers = {"variant": "json"}  # noqa: RUF012 (as in BaseOperator)
    operator_extra_links = (HostedLink(),)

    def __init__(
        self, *, variant: Any, timeout: float = 3600, poll_seconds: float = 10, deferrable: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.variant = variant
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable

    @property
    def _endpoint(self) -> str:
        return str(self.variant["endpoint"])

    @property
    def _config(self) -> str:
        return str(self.variant["config"]["EndpointConfigName"])

    def execute(self, context: "Context") -> dict[str, Any]:
        """Make model and configuration where they are not there, then go on."""
        context["ti"].xcom_push(key=HostedLink.key, value=self.hook.page(self._endpoint))
        self.hook.ensure(self.variant["model"], self.variant["config"])
        return self._go_on(context, time.time() + self.timeout)

    def resume(self, context: "Context", *, event: Mapping[str, Any], ordered: bool, fault: str) -> dict[str, Any]:
        """The endpoint has settled: the next step."""
        if event["status"] == "error":
            raise SageMakerRefused(f"{self._endpoint}: {event['message']}")
        if event["status"] == "timeout":
            self._abandon()
            raise SageMakerEndpointFailed(
                f"{self._endpoint} is {event['message']} and its time is over; clear the task, and it goes on there. "
                f"{fault}"
            )
        return self._go_on(context, event["deadline"], ordered=ordered, fault=fault)

    def on_kill(self) -> None:
        """Delete an endpoint that never answered; an update cannot be stopped, and is looked at by the next try."""
        self._abandon()

    def _abandon(self) -> None:
        try:
            self.hook.abandon(self._endpoint)
        except SageMakerError as error:
            self.log.warning("%s is left as it is: %s", self._endpoint, error)

    def _go_on(self, context: "Context", deadline: float, *, ordered: bool = False, fault: str = "") -> dict[str, Any]:
        """Do the next step that SageMaker's answer does not show as done.

        Args:
            context: of the task.
            deadline: Unix time of the last look.
            ordered: this try has ordered the configuration.
            fault: why it goes back to the configuration before; nothing where it does not.
        """
        from flightline.hooks.sagemaker_endpoint import FAILED, IN_SERVICE, MOVING, STILL

        found = self.hook.describe(self._endpoint)
        status = found["EndpointStatus"] if found else None
        serves = found["EndpointConfigName"] if found else None
        if status in MOVING:
            return self._wait(context, deadline, ordered=ordered, fault=fault)
        if status not in (None, *STILL):
            raise SageMakerRefused(f"{self._endpoint} is in a state that is not known here: {quoted(status)}")
        if fault:
            self._end_of_going_back(found, fault)
        if found and status == IN_SERVICE and serves == self._config:
            return self._verify(context, deadline, found)
        if ordered:
            reason = cut(str((found or {}).get("FailureReason") or "no reason").rstrip("."), 600)
            if status == FAILED:
                self.hook.delete(self._endpoint)
            self._forget()
            raise SageMakerEndpointFailed(
                f"{self._endpoint} did not take {self._config}: {reason}. It is {status or 'gone'}"
                + (f" and serves {serves}" if status == IN_SERVICE else "")
            )
        if status == FAILED:  # all that it takes then is its end
            self.hook.delete(self._endpoint)
            return self._wait(context, deadline, ordered=False)
        if status is None:
            self.hook.create(self._endpoint, self._config, {"flightline:use_case": self.variant["use_case"]})
        else:
            self.hook.update(self._endpoint, self._config)
        self.log.info("%s: ordered %s in place of %s", self._endpoint, self._config, serves or "nothing")
        return self._wait(context, deadline, ordered=True)

    def _wait(self, context: "Context", deadline: float, *, ordered: bool, fault: str = "") -> dict[str, Any]:
        """Come back to `resume` when the endpoint has settled."""
        trigger = EndpointTrigger(
            conn_id=self.conn_id, endpoint=self._endpoint, deadline=deadline, poll_seconds=self.poll_seconds
        )
        kept = {"ordered": ordered, "fault": fault}
        if self.deferrable:
            # The trigger ends by itself; Airflow's own timeout is only for a trigger that hangs.
            backstop = timedelta(seconds=max(deadline - time.time(), 0) + 300)
            self.defer(trigger=trigger, method_name="resume", kwargs=kept, timeout=backstop)
        return self.resume(context, event=asyncio.run(trigger.outcome()), **kept)  # type: ignore[arg-type]

    def _verify(self, context: "Context", deadline: float, found: Mapping[str, Any]) -> dict[str, Any]:
        """Compare its answers; go back where they are not the version's."""
        from include.foundation.errors import DigestMismatch, GateFailed
        from include.foundation.spec import load
        from include.stages.promotion import marketplace

        asked, spec = self.variant, load(self.variant["use_case"])
        try:
            answers = self.hook.invoke(self._endpoint, {"records": asked["records"]})
            marketplace.check(spec, answers, expected=asked["expected"], digest=asked["digest"])
        except (DigestMismatch, GateFailed, SageMakerAnswersDiffer) as error:
            return self._go_back(context, deadline, found, fault=str(error))
        self.hook.set_verified(found["EndpointArn"], self._config)
        said = "SageMaker's endpoint %s serves version %s, and answers as it does"
        notes.say(context["ti"], said, self._endpoint, asked["version"])
        model = asked["model"]["ModelName"]
        return {"endpoint": self._endpoint, "config": self._config, "model": model, "version": asked["version"]}

    def _go_back(self, context: "Context", deadline: float, found: Mapping[str, Any], *, fault: str) -> dict[str, Any]:
        before = self.hook.verified(found["EndpointArn"])
        if before in (None, self._config):  # nothing that is right has served here
            self.hook.delete(self._endpoint)
        else:
            self.hook.update(self._endpoint, str(before))
        return self._wait(context, deadline, ordered=True, fault=fault)

    def _end_of_going_back(self, found: Mapping[str, Any] | None, fault: str) -> None:
        from flightline.hooks.sagemaker_endpoint import IN_SERVICE

        words = f"{self._endpoint} did not answer as version {self.variant['version']} does: {fault}."
        if found and (found["EndpointStatus"] != IN_SERVICE or found["EndpointConfigName"] == self._config):
            raise SageMakerAnswersDiffer(
                f"{words} AND IT DID NOT GO BACK: it is {found['EndpointStatus']} with {found['EndpointConfigName']} "
                f"({cut(str(found.get('FailureReason')), 300)}). Update it by hand to a configuration that serves"
            )
        self._forget()
        back = f"it serves {found['EndpointConfigName']} again" if found else "it is deleted, nothing served before"
        raise SageMakerAnswersDiffer(f"{words} {back}")

    def _forget(self) -> None:
        """Delete what was not right. What cannot be is left to `retire`: the verdict must be told."""
        try:
            self.hook.remove(configs=[self._config], models=[self.variant["model"]["ModelName"]])
        except SageMakerError as error:
            self.log.warning("%s is left over: %s", self._config, error)


class SageMakerRetireOperator(_EndpointOperator):
    """Delete the models and configurations of a use case that its endpoint does not serve.

    Args:
        endpoint: its name.
        keep: the configuration that it must serve.
        conn_id: Connection of SageMaker.

    Returns (XCom): the names that were deleted.

    Raises:
        SageMakerEndpointFailed: it does not serve `keep`: nothing is deleted that may be needed.
    """

    template_fields: Sequence[str] = ("endpoint", "keep", "conn_id")

    def __init__(self, *, endpoint: str, keep: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.keep = keep

    def execute(self, context: "Context") -> list[str]:  # noqa: ARG002 (Airflow's signature)
        """Delete all but what is served."""
        from flightline.hooks.sagemaker_endpoint import IN_SERVICE
        from include.stages.promotion.endpoint import is_variant

        found = self.hook.describe(self.endpoint) or {}
        if found.get("EndpointStatus") != IN_SERVICE or found.get("EndpointConfigName") != self.keep:
            raise SageMakerEndpointFailed(
                f"{self.endpoint} is {found.get('EndpointStatus', 'not there')} with "
                f"{found.get('EndpointConfigName')}, not {self.keep}: nothing is deleted"
            )
        served = {self.keep, *self.hook.models_of(self.keep)}
        part = f"{self.endpoint}-v"
        configs = [name for name in self.hook.configs(part) if is_variant(self.endpoint, name) and name not in served]
        models = [name for name in self.hook.models(part) if is_variant(self.endpoint, name) and name not in served]
        self.hook.remove(configs=configs, models=models)
        self.log.info("%s: deleted %s", self.endpoint, listing([*configs, *models]) or "nothing")
        return [*configs, *models]
