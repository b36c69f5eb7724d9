"""Modzy, the model marketplace: publish a version, run jobs on it, retire versions."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from flightline import notes
from flightline.exceptions import ModzyError, ModzyFailed, ModzyRefused, ModzyTimeout
from flightline.failing import fail_fast
from flightline.hooks.modzy import ACTIVE, INACTIVE, ModzyHook
from flightline.links.pages import MarketplaceLink
from flightline.triggers.modzy import JOB, ModzyTrigger, Process
from include.foundation.echo import cut, listing

if TYPE_CHECKING:
    from airflow.sdk import Context

IMAGE_STEP: Process = "container-image"
TEST_STEP: Process = "run-process"


class _ModzyOperator(BaseOperator):
    """Has a Connection of Modzy."""

    ui_color = "#d5c7f2"

    def __init__(self, *, conn_id: str = "modzy", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @cached_property
    def hook(self) -> ModzyHook:
        """Modzy."""
        return ModzyHook(self.conn_id)

    def _active(self, model: str) -> list[str]:
        """The model's active versions."""
        hook = self.hook
        return [each for each in hook.versions(model) if hook.version(model, each).get("status") == ACTIVE]


class _WaitingOperator(_ModzyOperator):
    """Waits for Modzy: in the triggerer, or here where `deferrable` is False."""

    operator_extra_links = (MarketplaceLink(),)

    def __init__(
        self, *, timeout: float = 1800, poll_seconds: float = 2, deferrable: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable

    def _wait(
        self, context: "Context", model: str, version: str, process: Process, *, deadline: float, job: str = ""
    ) -> Any:
        """Come back to `resume` when the process is over."""
        trigger = ModzyTrigger(
            conn_id=self.conn_id,
            model=model,
            version=version,
            process=process,
            job=job,
            deadline=deadline,
            poll_seconds=self.poll_seconds,
        )
        kept = {"model": model, "version": version, "process": process, "job": job}
        if self.deferrable:
            # The trigger ends by itself; Airflow's own timeout is only for a trigger that hangs.
            backstop = timedelta(seconds=max(deadline - time.time(), 0) + 300)
            self.defer(trigger=trigger, method_name="resume", kwargs=kept, timeout=backstop)
        return self.resume(context, event=asyncio.run(trigger.outcome()), **kept)

    def resume(self, context: "Context", *, event: Mapping[str, Any], **kept: str) -> Any:
        """The trigger fired."""
        raise NotImplementedError


def _require_done(event: Mapping[str, Any], what: str) -> None:
    if event["status"] == "timeout":
        raise ModzyTimeout(f"{what} was not ready in time: {event['message']}")
    if event["status"] != "done":
        raise ModzyError(f"{what}: {event['message']}")


class ModzyPublishOperator(_WaitingOperator):
    """Bring a version to the marketplace, tried there by a test run, and activate it.

    What Modzy says of the version decides which step is next: a retry, and a task that is cleared, go on where it
    stands, and a version that is active is left as it is. A test run that failed is done again by the next try.

    Args:
        card: what is published (`include.stages.promotion.marketplace.card`).
        timeout: seconds for everything.
        poll_seconds: between two looks.
        deferrable: wait in the triggerer instead of the worker.
        conn_id: Connection of Modzy.

    Returns (XCom): `{"model", "version", "image", "url"}`; `model` is the marketplace's identifier.

    Raises:
        ModzyFailed: the image cannot be run, or does not answer the sample as the version does.
        ModzyTimeout: the image was not pulled or the test run not over in time.
        ModzyRefused: another model has this name and version.
        ModzyUnavailable: no answer.
    """

    template_fields: Sequence[str] = ("card", "conn_id")
    template_fields_renderers = {"card": "json"}  # noqa: RUF012 (as in BaseOperator)

    def __init__(self, *, card: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.card = card

    def execute(self, context: "Context") -> dict[str, Any]:
        """Register model and version where they are not there, then go on."""
        name, version = self.card["name"], self.card["version"]
        model = self.hook.find(name)
        if model is None:
            model = self.hook.create(name, version)
            self.log.info("created model %s, %s", name, model)
        elif version not in self.hook.versions(model):
            self.hook.create_version(model, version)
            self.log.info("added version %s to model %s, %s", version, name, model)
        context["ti"].xcom_push(key=MarketplaceLink.key, value=self.hook.page(model, version))
        return self._go_on(context, model, deadline=time.time() + self.timeout, again=True)

    def resume(self, context: "Context", *, event: Mapping[str, Any], **kept: str) -> dict[str, Any]:
        """What was waited for is over: the next step."""
        _require_done(event, f"{self.card['name']} {kept['version']}: {kept['process']}")
        return self._go_on(context, kept["model"], deadline=event["deadline"], again=False)

    def _go_on(self, context: "Context", model: str, *, deadline: float, again: bool) -> dict[str, Any]:
        """Do every step that Modzy's answers do not show as done; `again`: a test run that failed too."""
        hook, card, version = self.hook, self.card, self.card["version"]
        found = hook.version(model, version)
        details = str(found.get("technicalDetails") or "")
        if details and card["mark"] not in details:
            raise ModzyRefused(
                f"{card['name']} {version} is there with another model ({cut(details[-160:], 160)}), and versions do "
                f"not change: remove it from the marketplace, or promote a new version"
            )
        if found.get("status") != ACTIVE:
            image = hook.progress(model, version, IMAGE_STEP)
            if image is None:
                hook.describe(model, description=card["description"], tags=card["tags"])
                hook.set_image(model, version, card["image"])
                image = {"percentage": 0}
            if not details:
                hook.change(model, version, card["metadata"])
            if (image.get("percentage") or 0) < 100:
                return dict(self._wait(context, model, version, IMAGE_STEP, deadline=deadline))
            test = hook.progress(model, version, TEST_STEP)
            if test is None or (again and (test.get("result") or {}).get("status") == "FAILED"):
                hook.load(model, version)
                name = card["metadata"]["inputs"][0]["name"]
                hook.upload_test_input(model, version, name, card["sample"].encode())
                hook.start_test(model, version)
                test = {"percentage": 0}
            if (test.get("percentage") or 0) < 100:
                return dict(self._wait(context, model, version, TEST_STEP, deadline=deadline))
            self._check(test.get("result") or {})
            self._show_samples(model, test["result"])
            hook.change(model, version, {"status": ACTIVE})
        notes.say(context["ti"], "%s %s is active in the marketplace", card["name"], version)
        return {"model": model, "version": version, "image": card["image"], "url": hook.page(model, version)}

    def _check(self, result: Mapping[str, Any]) -> None:
        from include.foundation.errors import DigestMismatch, GateFailed
        from include.foundation.spec import load
        from include.stages.promotion import marketplace

        what = f"{self.card['name']} {self.card['version']}"
        if result.get("status") == "FAILED" or "results.json" not in result:
            raise ModzyFailed(f"{what}: the test run failed: {cut(str(result.get('error') or 'no results.json'), 500)}")
        spec = load(self.card["use_case"])
        try:
            marketplace.check(spec, result["results.json"], expected=self.card["expected"], digest=self.card["digest"])
        except (DigestMismatch, GateFailed) as error:
            raise ModzyFailed(f"{what} does not answer as the version does: {error}") from error

    def _show_samples(self, model: str, result: Mapping[str, Any]) -> None:
        name = self.card["metadata"]["inputs"][0]["name"]
        about = {"identifier": model, "version": self.card["version"]}
        source = {"0001": {name: self.card["sample"]}}
        answered = {key: result.get(key) for key in ("status", "engine", "error", "elapsedTime", "results.json")}
        self.hook.set_samples(
            model,
            self.card["version"],
            asked={"model": about, "explain": False, "input": {"type": "text", "sources": source}},
            answered={
                "jobIdentifier": "<uuid>",
                "total": 1,
                "completed": 1,
                "failed": 0,
                "results": {"0001": answered},
            },
        )


class ModzyRunOperator(_WaitingOperator):
    """Answer many records through the marketplace.

    A killed task cancels its job. A retry starts another one: a job reads and answers, it changes nothing.

    Args:
        model: name of the model, which is the use case's title.
        source: URI of the records: JSON lines, as callers send them.
        target: URI where the answers go, in the records' order, a JSON line each.
        version: of the marketplace (`3.0.0`); None is the active one.
        batch: records of one item of the job.
        timeout: seconds for everything.
        poll_seconds: between two looks.
        deferrable: wait in the triggerer instead of the worker.
        conn_id: Connection of Modzy.
        lake_conn_id: Connection of the store that holds source and target.

    Returns (XCom): `{"job", "model", "version", "records", "target"}`.

    Raises:
        ModzyFailed: an item failed, or the job was cancelled; nothing was written.
        ModzyRefused: there is no such model or not one active version.
        ModzyTimeout: it was not over in time; the job is cancelled.
        ModzyError: it could not be looked at; the job is cancelled.
        ModzyUnavailable: no answer.
    """

    template_fields: Sequence[str] = ("model", "source", "target", "version", "conn_id", "lake_conn_id")

    def __init__(
        self,
        *,
        model: str,
        source: str,
        target: str,
        version: str | None = None,
        batch: int = 200,
        lake_conn_id: str = "lake",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.source = source
        self.target = target
        self.version = version
        self.batch = batch
        self.lake_conn_id = lake_conn_id
        self._job = ""

    def execute(self, context: "Context") -> dict[str, Any]:
        """Submit the job and wait."""
        from include.stages.promotion.marketplace import INPUT

        model = self.hook.find(self.model)
        if model is None:
            raise ModzyRefused(f"the marketplace has no model {self.model!r}: promote it there first")
        version = self.version or self._only(model)
        with fail_fast():
            lines = [line for line in self._objects().get(self.source).splitlines() if line.strip()]
        groups = [lines[start : start + self.batch] for start in range(0, len(lines), self.batch)]
        items = {_item(n): {INPUT: b'{"records": [' + b",".join(group) + b"]}"} for n, group in enumerate(groups)}
        self._job = self.hook.submit(model, version, items)
        self.log.info("job %s: %d records in %d items to %s %s", self._job, len(lines), len(items), self.model, version)
        context["ti"].xcom_push(key=MarketplaceLink.key, value=self.hook.page(model, version))
        deadline = time.time() + self.timeout
        return dict(self._wait(context, model, version, JOB, deadline=deadline, job=self._job))

    def resume(self, context: "Context", *, event: Mapping[str, Any], **kept: str) -> dict[str, Any]:  # noqa: ARG002
        """The job is over: keep its answers."""
        job = self._job = kept["job"]
        if event["status"] != "done":
            self.hook.cancel(job)  # a retry starts another one
        _require_done(event, f"job {job}")
        answers = self._answers(job)
        body = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
        self._objects().put(self.target, body)
        about = {"job": job, "model": kept["model"], "version": kept["version"]}
        return {**about, "records": len(answers), "target": self.target}

    def on_kill(self) -> None:
        """End the job."""
        if self._job:
            self.hook.cancel(self._job)

    def _answers(self, job: str) -> list[Any]:
        from include.stages.promotion.marketplace import OUTPUT

        found = self.hook.results(job)
        # COMPLETED may hold failures.
        if failures := found.get("failures") or {}:
            why = [f"{item}: {(said or {}).get('error', 'no reason')}" for item, said in sorted(failures.items())]
            raise ModzyFailed(f"job {job}: {len(failures)} items failed: {listing(why)}")
        results = found.get("results") or {}
        if not found.get("finished") or len(results) != found.get("total"):
            raise ModzyFailed(f"job {job} ended with {len(results)} of {found.get('total')} items answered")
        return [answer for item in sorted(results) for answer in results[item][OUTPUT]]

    def _only(self, model: str) -> str:
        active = self._active(model)
        if len(active) != 1:
            raise ModzyRefused(f"{self.model} has {len(active)} active versions ({listing(active)}): name one")
        return active[0]

    def _objects(self) -> Any:
        from flightline.hooks.lake import LakeHook

        return LakeHook(self.lake_conn_id).lake.objects()


class ModzyRetireOperator(_ModzyOperator):
    """Take versions of a model out of use; they stay listed, and can be published again.

    Args:
        model: name of the model, which is the use case's title.
        keep: versions that stay as they are, as the marketplace names them.
        conn_id: Connection of Modzy.

    Returns (XCom): the versions that were retired now.

    Raises:
        ModzyRefused: a version to keep is not active: nothing is retired that nothing replaces.
        ModzyUnavailable: no answer.
    """

    template_fields: Sequence[str] = ("model", "keep", "conn_id")

    def __init__(self, *, model: str, keep: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.keep = keep

    def execute(self, context: "Context") -> list[str]:  # noqa: ARG002 (Airflow's signature)
        """Retire every active version that is not to be kept."""
        model = self.hook.find(self.model)
        if model is None:
            return []
        active = self._active(model)
        if missing := [each for each in self.keep if each not in active]:
            raise ModzyRefused(
                f"{self.model} {listing(missing)} is not active, so nothing is retired: publish it first"
            )
        retired = [each for each in active if each not in self.keep]
        for version in retired:
            self.hook.change(model, version, {"status": INACTIVE})
        self.log.info("%s: retired %s", self.model, listing(retired) or "nothing")
        return retired


def _item(number: int) -> str:
    """The name of a job's item, sorted as numbers are."""
    return f"{number + 1:06d}"
