"""A small client of Airflow's public REST API: what the demo and the Dag tests ask of it."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

DONE = {"success", "failed"}


class AirflowApi:
    """Airflow's REST API v2 as one user.

    Raises httpx.HTTPStatusError, with the body in its message, for every answer that is no success.

    Args:
        url: of the api-server.
        username: whose rights count.
        password: of that user.
        patience: seconds for which a call that changed nothing is made again while the api-server is away or fails.
    """

    def __init__(self, *, url: str, username: str, password: str, patience: float = 0) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=60)
        self._login = {"username": username, "password": password}
        self._patience = patience

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """One call; logs in first, and again when the token has expired.

        What only reads is repeated after any failure of the server, everything else only if it never got there.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._once(method, path, **kwargs)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else 0
                again = isinstance(error, httpx.ConnectError) or (method == "GET" and (status == 0 or status >= 500))
                if not again or time.monotonic() >= deadline:
                    raise
            time.sleep(1)

    def _once(self, method: str, path: str, **kwargs: Any) -> Any:
        for fresh in (False, True):
            if fresh or "Authorization" not in self._http.headers:
                answer = self._http.post("/auth/token", json=self._login).raise_for_status()
                self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            answer = self._http.request(method, f"/api/v2{path}", **kwargs)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {path}: {answer.status_code} {answer.text[:500]}", request=answer.request, response=answer
            )
        return answer.json() if answer.content else None

    def get(self, path: str, **params: Any) -> Any:
        """GET, query parameters by keyword."""
        return self.request("GET", path, params=params)

    def wait_for_dags(self, *dag_ids: str, timeout: float = 180) -> None:
        """Return when all these Dags are parsed. Raises TimeoutError naming import errors if there are some."""
        deadline = time.monotonic() + timeout
        while True:
            known = {dag["dag_id"] for dag in self.get("/dags", limit=1000)["dags"]}
            if known.issuperset(dag_ids):
                return
            if time.monotonic() > deadline:
                errors = [error["stack_trace"][-400:] for error in self.get("/importErrors")["import_errors"]]
                raise TimeoutError(f"not parsed: {sorted(set(dag_ids) - known)}; import errors: {errors or 'none'}")
            time.sleep(1)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a manual run, with a logical date (ISO 8601) as the form in a browser has one; returns its run id."""
        return str(
            self.request("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": logical_date, "conf": conf or {}})[
                "dag_run_id"
            ]
        )

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Runs of a Dag, newest first."""
        return list(self.get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=100)["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        return dict(self.get(f"/dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances of a run."""
        return list(self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=1000)["task_instances"])

    def follow(self, dag_id: str, run_id: str, *, timeout: float = 900) -> Iterator[dict[str, Any]]:
        """Yield each task instance when it ends, until the run has ended. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        seen: set[tuple[str, int, int]] = set()
        while True:
            state = self.run(dag_id, run_id)["state"]
            for task in self.tasks(dag_id, run_id):
                key = (task["task_id"], task["map_index"], task["try_number"])
                if task["end_date"] and task["state"] not in {None, "deferred", "up_for_retry"} and key not in seen:
                    seen.add(key)
                    yield task
            if state in DONE:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} is still {state} after {timeout:.0f} s")
            time.sleep(1)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """One XCom value, None if the task pushed none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            return self.get(path, map_index=map_index, deserialize="true")["value"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """A task's log as text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.get(path, map_index=map_index)["content"]
        return "\n".join(line if isinstance(line, str) else _line(line) for line in content)

    def approve(self, dag_id: str, run_id: str, task_id: str, *, option: str = "Approve") -> bool:
        """Answer a waiting approval, unless somebody has; False while the task does not ask yet."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        try:
            self.request("PATCH", path, json={"chosen_options": [option], "params_input": {}})
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return False
            if error.response.status_code != httpx.codes.CONFLICT:
                raise
        return True

    def backfill(self, dag_id: str, *, first: str, last: str) -> int:
        """Create a backfill over whole days, both included; returns its id."""
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            "reprocess_behavior": "completed",
            "max_active_runs": 2,
        }
        return int(self.request("POST", "/backfills", json=body)["id"])


def _line(event: dict[str, Any]) -> str:
    errors = "".join(f"\n{each['exc_type']}: {each['exc_value']}" for each in event.get("error_detail") or ())
    return f"{event.get('event', '')}{errors}"
