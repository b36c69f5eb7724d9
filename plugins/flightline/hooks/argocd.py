"""Argo CD's REST API (v3.5): requests, retries, errors."""

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from flightline.exceptions import (
    ArgoCDOperationInProgress,
    ArgoCDRefused,
    ArgoCDSyncWindowClosed,
    ArgoCDUnavailable,
)
from flightline.hooks.rest import RETRY_SECONDS, RestHook, passing

if TYPE_CHECKING:
    from airflow.sdk import Connection

Application = dict[str, Any]

LONGEST_RETRY_AFTER_SECONDS = 30.0
TIMEOUT_SECONDS = 30.0
# A part of Argo CD that does not answer another (the repository server restarts) is reported inside of a 400.
_PASSING_WORDS = re.compile(r"code = (Unavailable|DeadlineExceeded|ResourceExhausted|Aborted)\b")
LOG_TIMEOUT_SECONDS = 5.0
LOG_CHARACTERS = 300
# Hides too much rather than too little: all from the word on, and who logs in to a URL.
_SECRET = re.compile(
    r"(?i)\w*(password|passwd|token|secret|credential|api.?key|access.?key|private.?key|authorization|bearer).*"
    r"|(?<=://)[^/\s]+@"
)
REFRESH_TIMEOUT_SECONDS = 90.0  # a refresh blocks until the controller has compared


class ArgoCDHook(RestHook):
    """Turn a Connection of type `http` (host, port, schema; password = token) into calls of Argo CD.

    Extra: `verify` (false, or the path of a CA bundle). `project` is sent with every call: without it Argo CD answers
    403 for an application that does not exist. Every method may raise ArgoCDUnavailable (a retry may help) and
    ArgoCDRefused (it cannot).
    """

    default_conn_name = "argocd"
    hook_name = "Argo CD"

    def __init__(
        self, conn_id: str | None = None, *, project: str = "default", connection: "Connection | None" = None
    ) -> None:
        super().__init__(conn_id, connection=connection)
        self.project = project

    @cached_property
    def _client(self) -> httpx.Client:
        # Argo CD answers 415 unless the type is exactly this, on DELETE too.
        headers = {"Authorization": f"Bearer {self._connection.password}", "Content-Type": "application/json"}
        return self._open(headers, seconds=TIMEOUT_SECONDS)

    def page(self, application: str, *, namespace: str = "argocd") -> str:
        """Where a person looks at the application."""
        return f"{self.url}/applications/{namespace}/{application}"

    def application(self, name: str, *, refresh: bool = False) -> Application:
        """The application as it is; with `refresh` after Argo CD compared it with Git and cluster anew (one try)."""
        path = f"/api/v1/applications/{name}"
        if not refresh:
            return self._call("GET", path, name)
        params = {"refresh": "normal"}
        return self._call("GET", path, name, params=params, timeout=REFRESH_TIMEOUT_SECONDS, pauses=())

    def ensure(self, application: Application) -> Application:
        """Make the application exist with this spec, labels and annotations, whether it existed before or not."""
        name = application["metadata"]["name"]
        return self._call("POST", "/api/v1/applications", name, params={"upsert": "true"}, body=application)

    def sync(self, name: str, *, revision: str, prune: bool, infos: dict[str, str]) -> Application:
        """Start a sync; `infos` come back in `status.operationState.operation.info`.

        Raises:
            ArgoCDOperationInProgress: another operation runs. It may be this one, if an answer was lost.
            ArgoCDSyncWindowClosed: not now.
        """
        body = {
            "revision": revision,
            "prune": prune,
            "infos": [{"name": key, "value": value} for key, value in infos.items()],
            "project": self.project,
        }
        return self._call("POST", f"/api/v1/applications/{name}/sync", name, body=body)

    def terminate(self, name: str) -> None:
        """Ask the running operation to end. ArgoCDRefused if none is running."""
        self._call("DELETE", f"/api/v1/applications/{name}/operation", name)

    def resources(self, name: str) -> list[dict[str, Any]]:
        """The nodes of the resource tree: what was deployed and all that grew from it, with health and message."""
        return list(self._call("GET", f"/api/v1/applications/{name}/resource-tree", name).get("nodes") or [])

    def last_log_line(self, name: str, pod: dict[str, Any]) -> str:
        """The last line that a pod's container wrote; of a pod with several, the one that the cluster picks.

        A line has at most `LOG_CHARACTERS`, and from a word such as "token" on it is hidden. Empty where there is none
        or it cannot be read: logs explain a verdict, they are none, so this raises nothing.
        """
        path = f"/api/v1/applications/{name}/pods/{pod['name']}/logs"
        query = {"project": self.project, "namespace": pod.get("namespace", ""), "tailLines": "1", "follow": "false"}
        for previous in ("false", "true"):  # a container that was started again may not have written yet
            try:
                response = self._client.get(path, params={**query, "previous": previous}, timeout=LOG_TIMEOUT_SECONDS)
                entries = [json.loads(line).get("result") or {} for line in response.text.splitlines() if line]
                lines = [str(entry.get("content") or "").strip() for entry in entries]
            except (httpx.TransportError, ValueError, AttributeError) as error:
                self.log.debug("%s: no log of %s: %s", name, pod["name"], error)
                return ""
            if said := [line for line in lines if line]:
                return _SECRET.sub("***", said[-1])[:LOG_CHARACTERS]
        return ""

    def _call(
        self,
        method: str,
        path: str,
        name: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        timeout: float = TIMEOUT_SECONDS,
        pauses: tuple[float, ...] = RETRY_SECONDS,
    ) -> dict[str, Any]:
        """One answered request. Everything here may be repeated: a second sync is refused while the first one runs."""
        content = None if body is None else json.dumps(body)
        query = {"project": self.project, **(params or {})}
        response = self._ask(
            self._client,
            method,
            path,
            unavailable=ArgoCDUnavailable,
            about=name,
            message=_message,
            pauses=pauses,
            may_pass=_may_pass,
            wait=_retry_after,
            params=query,
            content=content,
            timeout=timeout,
        )
        return _read(response, name)


def _may_pass(response: httpx.Response) -> bool:
    return passing(response) or bool(_PASSING_WORDS.search(_message(response)))


def _read(response: httpx.Response, name: str) -> dict[str, Any]:
    message = _message(response)
    if response.is_success:
        try:
            return dict(response.json())
        except ValueError:
            raise ArgoCDRefused(
                f"{name}: {response.url.host} answered without JSON, is it Argo CD? {message}"
            ) from None
    if "another operation is already in progress" in message:
        raise ArgoCDOperationInProgress(f"{name}: {message}")
    if "sync window" in message:
        raise ArgoCDSyncWindowClosed(f"{name}: {message}")
    raise ArgoCDRefused(f"{name}: Argo CD answered {response.status_code}: {message}")


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text[:500].strip() or response.reason_phrase


def _retry_after(response: httpx.Response, pause: float) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_RETRY_AFTER_SECONDS) or pause if asked.isdigit() else pause
