"""Modzy's REST API: requests, retries, errors. It follows the published Python client, 0.11.6 (frozen in 2023)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx

from flightline.exceptions import ModzyRefused, ModzyUnavailable
from flightline.hooks.rest import RETRY_SECONDS, RestHook
from include.foundation.echo import cut

TIMEOUT_SECONDS = 60.0
CHUNK = 1_000_000  # bytes of an input in one request where the server does not say
PAGE = 1000
IMAGE = "flightline/marketplace"
ACTIVE, INACTIVE = "active", "inactive"
_REPEATABLE = ("GET", "PUT", "PATCH", "DELETE")
_SHOWN = 300  # characters of an answer that an error repeats
_UNITS = {"": 1, "i": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "KB": 1 << 10, "MB": 1 << 20}

Document = dict[str, Any]


class ModzyHook(RestHook):
    """Turn a Connection of type `http` (host, port, schema; password = `<public>.<private>` key) into calls of Modzy.

    Extra: `verify` (false, or the path of a CA bundle), `image` (the repository of marketplace images), and `registry`
    (`username` and `password` with which Modzy pulls from it). Every method may raise ModzyUnavailable (a retry may
    help) and ModzyRefused (it cannot). Only what may be repeated is repeated here.
    """

    default_conn_name = "modzy"
    hook_name = "Modzy"

    @property
    def image(self) -> str:
        """The repository of marketplace images."""
        return str(self.extra.get("image", IMAGE))

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"ApiKey {self._connection.password}", "Accept": "application/json"}
        return self._open(headers, seconds=TIMEOUT_SECONDS, path="/api")

    def page(self, model: str, version: str) -> str:
        """Where a person looks at a version."""
        return f"{self.url}/models/{model}/{version}"

    def find(self, name: str) -> str | None:
        """The identifier of the model with exactly this name; None if there is none."""
        for listed in self._call("GET", "/models", params={"name": name, "per-page": str(PAGE)}):
            identifier = str(listed.get("modelId") or listed["identifier"])
            if listed.get("name", name) == name and self._call("GET", f"/models/{identifier}").get("name") == name:
                return identifier
        return None

    def create(self, name: str, version: str) -> str:
        """Create a model with its first version; its identifier. Look for the name first: it is not repeatable."""
        return str(self._call("POST", "/models", body={"name": name, "version": version})["identifier"])

    def versions(self, model: str) -> list[str]:
        """The versions of a model."""
        return [str(each["version"]) for each in self._call("GET", f"/models/{model}/versions")]

    def version(self, model: str, version: str) -> Document:
        """What a version says of itself."""
        return dict(self._call("GET", _path(model, version)))

    def create_version(self, model: str, version: str) -> None:
        """Add a version to a model."""
        self._call("POST", f"/models/{model}/versions", body={"version": version})

    def describe(self, model: str, *, description: str, tags: Sequence[str]) -> None:
        """Say what the model is, on its card."""
        self._call("PATCH", f"/models/{model}", body={"description": description, "tags": list(tags)})

    def set_image(self, model: str, version: str, image: str) -> None:
        """Have Modzy pull the version's container image."""
        registry = {"url": image, **self.extra.get("registry", {})}
        self._call("POST", f"{_path(model, version)}/container-image", body={"registry": registry})

    def change(self, model: str, version: str, fields: Mapping[str, Any]) -> Document:
        """Change a version's fields; what it says of itself then."""
        return dict(self._call("PATCH", _path(model, version), body=dict(fields)))

    def progress(self, model: str, version: str, process: str) -> Document | None:
        """How far `container-image` or `run-process` is (`percentage`, `result`); None if it never began."""
        found: Document | None = self._call("GET", f"{_path(model, version)}/{process}", absent=True)
        return found

    def load(self, model: str, version: str) -> None:
        """Load the pulled image. Refused with 400 for a moment after the pull: that is waited out here."""
        path = f"{_path(model, version)}/load-process"
        for pause in (*RETRY_SECONDS, None):
            try:
                self._call("POST", path)
            except ModzyRefused as error:
                if error.status != 400 or pause is None:
                    raise
                time.sleep(pause)
            else:
                return

    def upload_test_input(self, model: str, version: str, name: str, data: bytes) -> None:
        """The input of the test run."""
        path = f"{_path(model, version)}/testInput"
        self._call("POST", path, params={"name": name}, files={"file": (name, data)})

    def start_test(self, model: str, version: str) -> None:
        """Start the test run."""
        self._call("POST", f"{_path(model, version)}/run-process")

    def set_samples(self, model: str, version: str, *, asked: Document, answered: Document) -> None:
        """Show how a job is asked and answered."""
        self._call("PUT", f"{_path(model, version)}/sample-input", body=asked)
        self._call("PUT", f"{_path(model, version)}/sample-output", body=answered)

    def submit(self, model: str, version: str, sources: Mapping[str, Mapping[str, bytes]]) -> str:
        """Start a job of any size: opened, filled in chunks, closed; its identifier. A job half filled is cancelled.

        Args:
            model: identifier.
            version: that answers.
            sources: name of an item -> name of an input -> its bytes.
        """
        opened = {"model": {"identifier": model, "version": version}, "explain": False}
        job = str(self._call("POST", "/jobs", body=opened)["jobIdentifier"])
        try:
            most = _bytes(str(self._call("GET", "/jobs/features").get("inputChunkMaximumSize", CHUNK)))
            for item, inputs in sources.items():
                for name, data in inputs.items():
                    for chunk in _chunks(data, most):
                        self._call("POST", f"/jobs/{job}/{item}/{name}", files={"input": ("input", chunk)})
            self._call("POST", f"/jobs/{job}/close")
        except BaseException:
            self.cancel(job)
            raise
        return job

    def job(self, job: str) -> Document:
        """The state of a job (`status`, `total`, `completed`, `failed`)."""
        return dict(self._call("GET", f"/jobs/{job}"))

    def results(self, job: str) -> Document:
        """`results` and `failures` by item. Of a fresh job there are none yet: ModzyRefused, 404."""
        return dict(self._call("GET", f"/results/{job}"))

    def cancel(self, job: str) -> None:
        """End a job; what cannot be cancelled any more is left, for this must not hide why it is asked."""
        try:
            self._call("DELETE", f"/jobs/{job}")
        except (ModzyRefused, ModzyUnavailable) as error:
            self.log.warning("job %s could not be cancelled: %s", job, error)

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        files: Any = None,
        absent: bool = False,
    ) -> Any:
        response = self._ask(
            self._client,
            method,
            path,
            unavailable=ModzyUnavailable,
            message=_message,
            pauses=RETRY_SECONDS if method in _REPEATABLE else (),
            params=params,
            json=body,
            files=files,
        )
        return None if response.status_code == 404 and absent else _read(response, f"{method} {path}")


def _path(model: str, version: str) -> str:
    return f"/models/{model}/versions/{version}"


def _chunks(data: bytes, most: int) -> Iterator[bytes]:
    return (data[start : start + most] for start in range(0, len(data), most))


def _bytes(said: str) -> int:
    """A size such as `1M`."""
    number = said.rstrip("".join({*"".join(_UNITS)}))
    try:
        return int(float(number) * _UNITS[said.removeprefix(number)])
    except (ValueError, KeyError):
        return CHUNK


def _read(response: httpx.Response, what: str) -> Any:
    if response.is_success:
        try:
            return response.json() if response.content else {}
        except ValueError:
            raise ModzyRefused(
                f"{response.url.host} answered {what} without JSON, is it Modzy? {_message(response)}", status=200
            ) from None
    raise ModzyRefused(
        f"Modzy answered {what} with {response.status_code}: {_message(response)}", status=response.status_code
    )


def _message(response: httpx.Response) -> str:
    try:
        return cut(str(response.json()["message"]), _SHOWN)
    except (ValueError, KeyError, TypeError):
        return cut(response.text.strip(), _SHOWN) or response.reason_phrase
