"""Kubeflow Pipelines' REST API (v2beta1, 2.17): requests, retries, errors."""

import json
from functools import cached_property
from typing import Any

import httpx

from flightline.exceptions import KubeflowRefused, KubeflowUnavailable
from flightline.hooks.rest import RETRY_SECONDS, RestHook
from include.foundation.echo import cut

API = "/apis/v2beta1"
TIMEOUT_SECONDS = 30.0
PAGE = 100
SUCCEEDED = "SUCCEEDED"
FAILED = ("FAILED", "CANCELED", "SKIPPED")  # beside these: PENDING, RUNNING, PAUSED, CANCELING, and none at first


class KubeflowHook(RestHook):
    """Turn a Connection of type `http` (host, port, schema; password = token) into calls of Kubeflow Pipelines.

    Extra: `namespace` of the runs, `page` (URL of the web pages, where it is not the API's). Every method may raise
    KubeflowUnavailable (a retry may help) and KubeflowRefused (it cannot).
    """

    default_conn_name = "kubeflow"
    hook_name = "Kubeflow Pipelines"

    @property
    def namespace(self) -> str:
        """Of the runs; empty where there is one for all."""
        return str(self.extra.get("namespace", ""))

    def pipeline(self, name: str) -> str:
        """The id of the pipeline with this name; it is made if there is none."""
        path = f"{API}/pipelines/names/{name}"
        if (found := self._call("GET", path, query={"namespace": self.namespace}, missing=True)) is None:
            body = {"name": name, "display_name": name, **self._in_namespace}
            # Taken: another task has made it meanwhile.
            found = self._call("POST", f"{API}/pipelines", body=body, taken=True) or self._call("GET", path)
        return str((found or {})["pipeline_id"])

    def version(self, pipeline_id: str, name: str, document: str) -> str:
        """The id of the pipeline's version with this name; the document, YAML, is uploaded once."""
        if (found := self._version(pipeline_id, name)) is None:
            query = {"name": name, "display_name": name, "pipelineid": pipeline_id}  # so the API spells it here
            files = {"uploadfile": (f"{name}.yaml", document.encode(), "application/x-yaml")}
            made = self._call("POST", f"{API}/pipelines/upload_version", query=query, files=files, taken=True)
            found = made["pipeline_version_id"] if made else self._version(pipeline_id, name)
        return str(found)

    def experiment(self, name: str) -> str:
        """The id of the experiment with this name; it is made if there is none."""
        found = self._pages(f"{API}/experiments", "experiments", _where("display_name", "EQUALS", name))
        if not found:
            body = {"display_name": name, **self._in_namespace}
            made = self._call("POST", f"{API}/experiments", body=body, taken=True)
            found = [made] if made else self._pages(f"{API}/experiments", "experiments")
        return next(str(each["experiment_id"]) for each in found if each["display_name"] == name)

    def runs(self, part_of_name: str) -> list[dict[str, Any]]:
        """The runs whose name has this part, oldest first."""
        found = self._pages(f"{API}/runs", "runs", _where("display_name", "IS_SUBSTRING", part_of_name))
        return sorted(found, key=lambda run: (run["created_at"], run["run_id"]))

    def create(self, run: dict[str, Any]) -> dict[str, Any]:
        """Start a run. It is not tried again here: the API would start another."""
        return self._call("POST", f"{API}/runs", body=run, pauses=()) or {}

    def run(self, run_id: str) -> dict[str, Any] | None:
        """The run; None if there is none."""
        return self._call("GET", f"{API}/runs/{run_id}", missing=True)

    def terminate(self, run_id: str) -> None:
        """End the run; nothing if it has ended."""
        run = self.run(run_id)
        if run and run.get("state") not in (SUCCEEDED, *FAILED):
            self._call("POST", f"{API}/runs/{run_id}:terminate", missing=True)

    def page(self, run_id: str) -> str:
        """Where a person looks at the run."""
        return f"{str(self.extra.get('page') or self.url).rstrip('/')}/#/runs/details/{run_id}"

    @cached_property
    def _client(self) -> httpx.Client:
        token = self._connection.password
        return self._open({"Authorization": f"Bearer {token}"} if token else {}, seconds=TIMEOUT_SECONDS)

    @property
    def _in_namespace(self) -> dict[str, str]:
        return {"namespace": self.namespace} if self.namespace else {}

    def _version(self, pipeline_id: str, name: str) -> str | None:
        found = self._pages(f"{API}/pipelines/{pipeline_id}/versions", "pipeline_versions", namespaced=False)
        return next((each["pipeline_version_id"] for each in found if each.get("name") == name), None)

    def _pages(self, path: str, key: str, where: str = "", *, namespaced: bool = True) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query = {"page_size": str(PAGE), "namespace": self.namespace if namespaced else "", "filter": where}
        while True:
            answer = self._call("GET", path, query=query) or {}
            found += answer.get(key) or []
            if not (token := answer.get("next_page_token")):
                return found
            query["page_token"] = token

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Any = None,
        files: Any = None,
        missing: bool = False,
        taken: bool = False,
        pauses: tuple[float, ...] = RETRY_SECONDS,
    ) -> dict[str, Any] | None:
        """One answered request; None for a thing that is `missing` or `taken` where that is expected."""
        asked = {key: value for key, value in (query or {}).items() if value}
        response = self._ask(
            self._client,
            method,
            path,
            unavailable=KubeflowUnavailable,
            message=_message,
            pauses=pauses,
            params=asked,
            json=body,
            files=files,
        )
        return _read(response, f"{method} {path}", missing=missing, taken=taken)


def _read(response: httpx.Response, call: str, *, missing: bool, taken: bool) -> dict[str, Any] | None:
    if (missing and response.status_code == 404) or (taken and response.status_code == 409):
        return None
    if response.is_success:
        try:
            return dict(response.json() or {})
        except ValueError:
            said = f"{call}: {response.url.host} answered without JSON, is it Kubeflow Pipelines? {_message(response)}"
            raise KubeflowRefused(said) from None
    raise KubeflowRefused(f"{call}: Kubeflow answered {response.status_code}: {_message(response)}")


def _message(response: httpx.Response) -> str:
    """What the other side says to a person: it stands in the first detail, or elsewhere for uploads."""
    try:
        answer = response.json()
        details = answer.get("details") or [{}]
        text = details[0].get("message") or answer.get("message") or answer.get("error_message")
    except (ValueError, AttributeError, LookupError):
        text = None
    return cut(str(text or response.text.strip() or response.reason_phrase), 500)


def _where(key: str, operation: str, value: str) -> str:
    return json.dumps({"predicates": [{"key": key, "operation": operation, "stringValue": value}]})
