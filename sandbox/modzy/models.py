"""Models and their versions: what is known, and which step may follow which."""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.modzy import fields
from sandbox.modzy.container import Container, Image, Registry
from sandbox.modzy.errors import ModzyError

log = logging.getLogger(__name__)
SETTLING_SECONDS = 0.3  # after a pull, in which a load is refused
ACTIVE, INACTIVE = "active", "inactive"
_UNREADY = "image was not pulled yet"


class Version:
    """One version. `document` is what the API shows of it, `hidden` what it keeps beside."""

    def __init__(self, model: str, name: str, state: dict[str, Any] | None = None) -> None:
        found = state or {"document": {"version": name, "status": "draft", "isAvailable": True}, "hidden": {}}
        self.model, self.name = model, name
        self.document: dict[str, Any] = found["document"]
        self.hidden: dict[str, Any] = found["hidden"]
        self.container: Container | None = None
        self.image: Image | None = None
        self.pulled_at = 0.0

    @property
    def active(self) -> bool:
        """Whether jobs may be run on it."""
        return bool(self.document["status"] == ACTIVE)

    def inputs(self) -> list[str]:
        """Names of its inputs."""
        return [each["name"] for each in self.document.get("inputs") or ()]


class Models:
    """All models, kept in a file.

    Args:
        registry: where images come from.
        folder: for the state and the containers' logs.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry, self._folder = registry, folder
        self._file = folder / "models.json"
        self._lock = threading.RLock()
        self.cards: dict[str, dict[str, Any]] = {}
        self._versions: dict[tuple[str, str], Version] = {}
        if self._file.exists():
            state = json.loads(self._file.read_text())
            self.cards = state["cards"]
            for each in state["versions"]:
                self._versions[each["model"], each["name"]] = Version(each["model"], each["name"], each)

    def stop(self) -> None:
        """End every container."""
        for version in self._versions.values():
            if version.container:
                version.container.stop()

    def create(self, body: Any) -> dict[str, Any]:
        """A model with its first version."""
        asked = fields.check(body, fields.MODEL)
        version = fields.version(asked["version"])
        with self._lock:
            identifier = secrets.token_hex(5)
            self.cards[identifier] = {"identifier": identifier, "name": asked["name"], "description": "", "tags": []}
            self._versions[identifier, version] = Version(identifier, version)
            return self._kept({"identifier": identifier, "version": version})

    def add(self, model: str, body: Any) -> dict[str, Any]:
        """A further version."""
        name = fields.version(fields.check(body, {"version": str})["version"])
        with self._lock:
            self.card(model)
            if (model, name) in self._versions:
                raise ModzyError(409, f"model {model} has a version {name}")
            self._versions[model, name] = Version(model, name)
            return self._kept({"identifier": model, "version": name})

    def card(self, model: str) -> dict[str, Any]:
        """A model with its versions."""
        if model not in self.cards:
            raise ModzyError(404, f"there is no model {model[:40]}")
        names = [name for identifier, name in self._versions if identifier == model]
        active = [name for name in names if self._versions[model, name].active]
        return {**self.cards[model], "versions": names, "latestActiveVersion": active[-1] if active else None}

    def versions(self, model: str) -> list[dict[str, Any]]:
        """The versions of a model."""
        return [{"version": name} for name in self.card(model)["versions"]]

    def describe(self, model: str, body: Any) -> dict[str, Any]:
        """Change a model's card."""
        asked = fields.check(body, fields.CARD)
        with self._lock:
            self.card(model)
            self.cards[model] |= asked
            return self._kept(self.card(model))

    def version(self, model: str, name: str) -> Version:
        """A version."""
        self.card(model)
        if (model, name) not in self._versions:
            raise ModzyError(404, f"model {model} has no version {name[:40]}")
        return self._versions[model, name]

    def active(self, model: str, name: str) -> Version:
        """A version that jobs may be run on."""
        version = self.version(model, name)
        if not version.active:
            raise ModzyError(422, f"model {model} version {name} is not active")
        return version

    def every(self) -> list[Version]:
        """All versions."""
        return list(self._versions.values())

    def change(self, model: str, name: str, body: Any) -> dict[str, Any]:
        """Change a version's fields, its status too."""
        asked = fields.check(body, fields.DETAILS)
        version = self.version(model, name)
        with self._lock:
            if (status := asked.get("status")) is not None:
                self._may_become(version, status)
            if asked.keys() - {"status", "processing"} and "image" not in version.hidden:
                raise ModzyError(400, "set the container image first")
            version.document |= asked
            if status == INACTIVE and version.container:
                version.container.stop()
            return self._kept({"identifier": model, **version.document})

    def _may_become(self, version: Version, status: str) -> None:
        if status not in (ACTIVE, INACTIVE):
            raise ModzyError(422, f"a status is {ACTIVE} or {INACTIVE}")
        if status == INACTIVE and version.document["status"] == "draft":
            raise ModzyError(422, "a version that was never active cannot be retired")
        shown = {"sample-input", "sample-output"} <= version.hidden.keys()
        if status == ACTIVE and not (shown and self._tested(version)):
            raise ModzyError(400, "a version is activated after a test run that succeeded, with its samples")

    @staticmethod
    def _tested(version: Version) -> bool:
        found = version.hidden.get("run-process") or {}
        return (found.get("result") or {}).get("status") == "SUCCESSFUL"

    def set_image(self, model: str, name: str, body: Any) -> dict[str, Any]:
        """Begin to pull an image."""
        asked, version = fields.check(body, fields.IMAGE), self.version(model, name)
        if version.active:
            raise ModzyError(409, "the image of an active version does not change")
        version.hidden = {"image": asked["registry"]["url"], "container-image": {"percentage": 0}}
        version.image = None
        self._work(version, self._pull)
        return self._kept({"percentage": 0})

    def _pull(self, version: Version) -> None:
        try:
            version.image = self._registry.pull(version.hidden["image"])
        except ModzyError as error:
            version.hidden["fault"] = str(error)
        version.pulled_at = time.monotonic()
        version.hidden["container-image"] = {"percentage": 100}

    def progress(self, model: str, name: str, process: str) -> dict[str, Any]:
        """How far a process is."""
        found: dict[str, Any] | None = self.version(model, name).hidden.get(process)
        if found is None:
            raise ModzyError(404, f"there is no {process} yet")
        return found

    def load(self, model: str, name: str) -> dict[str, Any]:
        """Load the pulled image."""
        version = self.version(model, name)
        settled = time.monotonic() - version.pulled_at > SETTLING_SECONDS
        if (version.hidden.get("container-image") or {}).get("percentage") != 100 or not settled:
            raise ModzyError(400, _UNREADY)
        if fault := version.hidden.get("fault"):
            raise ModzyError(422, fault)
        if not version.inputs():
            raise ModzyError(400, "say the version's inputs first")
        self.container(version)
        version.hidden["loaded"] = True
        return self._kept({})

    def container(self, version: Version) -> Container:
        """The version's container, which may not run yet."""
        with self._lock:
            if version.container is None:
                version.image = version.image or self._registry.pull(version.hidden["image"])
                version.container = Container(version.image, self._folder / f"{version.model}-{version.name}.log")
            return version.container

    def set_test_input(self, model: str, name: str, input_name: str, data: bytes) -> dict[str, Any]:
        """What the test run is asked."""
        version = self.version(model, name)
        if not version.hidden.get("loaded"):
            raise ModzyError(400, "load the image first")
        if input_name not in version.inputs():
            raise ModzyError(422, f"the version has no input {input_name[:40]!r}")
        version.hidden["test"] = [input_name, data.decode("utf-8", errors="strict")]
        return self._kept({})

    def start_test(self, model: str, name: str) -> dict[str, Any]:
        """Begin the test run."""
        version = self.version(model, name)
        if "test" not in version.hidden:
            raise ModzyError(400, "upload a test input first")
        version.hidden["run-process"] = {"percentage": 0, "result": None}
        self._work(version, self._test)
        return self._kept({"percentage": 0})

    def _test(self, version: Version) -> None:
        name, text = version.hidden["test"]
        version.hidden["run-process"] = {"percentage": 100, "result": self.run(version, name, text.encode())}

    def run(self, version: Version, name: str, data: bytes) -> dict[str, Any]:
        """One item's result."""
        begun = time.time()
        try:
            fine, outputs = self.container(version).run(name, data)
            answer = {key: json.loads(value) for key, value in outputs.items()} if fine else {}
            fault = None if fine else outputs.get("error", b"no reason").decode(errors="replace")
        except Exception as error:  # noqa: BLE001 (whatever it is, the item failed)
            answer, fault = {}, str(error)[:300]
        ended = time.time()
        return {
            "status": "FAILED" if fault else "SUCCESSFUL",
            "error": fault,
            "engine": f"engine-{version.model}",
            "startTime": begun,
            "endTime": ended,
            "updateTime": ended,
            "inputSize": len(data),
            "elapsedTime": round((ended - begun) * 1000),
            **answer,
        }

    def set_sample(self, model: str, name: str, which: str, body: Any) -> dict[str, Any]:
        """Show how a job is asked or answered."""
        version = self.version(model, name)
        if not self._tested(version):
            raise ModzyError(400, "a sample is shown after a test run that succeeded")
        if not isinstance(body, dict):
            raise ModzyError(400, "a sample must be an object")
        version.hidden[which] = body
        return self._kept(version.hidden[which])

    def _work(self, version: Version, work: Callable[[Version], None]) -> None:
        def run() -> None:
            work(version)
            self._kept({})

        threading.Thread(target=run, daemon=True).start()

    def _kept(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer, once everything is written."""
        with self._lock:
            versions = [
                {"model": each.model, "name": each.name, "document": each.document, "hidden": each.hidden}
                for each in self._versions.values()
            ]
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps({"cards": self.cards, "versions": versions}))
            draft.replace(self._file)
        return answer
