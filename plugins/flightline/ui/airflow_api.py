"""Airflow's public REST API as the user who looks: asked inside the process, by his own token."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.from_thread
import httpx
from fastapi import HTTPException, Request

from flightline.exceptions import AirflowAsked

COOKIE = "_token"
SECONDS = 20.0


class AirflowApi:
    """The API behind a request. Pages run in threads; the API's own app runs in the loop that they came from.

    Args:
        request: of the page.
    """

    def __init__(self, request: Request) -> None:
        self._app = request.scope.get("flightline.airflow")
        root = request.scope.get("root_path", "").removesuffix("/flightline")
        self._base = f"http://airflow{root}"
        token = request.cookies.get(COOKIE, "")
        self._headers = {"Authorization": request.headers.get("authorization") or f"Bearer {token}"}

    def get(self, path: str, **params: Any) -> Any:
        """One answer. Raises HTTPException with Airflow's words where he may not, AirflowAsked for other failures."""
        return self.get_all([(path, params)])[0]

    def get_all(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
        """Several answers, asked at once."""
        return anyio.from_thread.run(self._gather, asked)

    def start(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run; its id."""
        body = {"logical_date": None, "conf": dict(conf)}
        return str(anyio.from_thread.run(self._one, "POST", f"/dags/{dag_id}/dagRuns", None, body)["dag_run_id"])

    async def _gather(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
        return list(await asyncio.gather(*(self._one("GET", path, params, None) for path, params in asked)))

    async def _one(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> Any:
        if self._app is None:
            raise AirflowAsked("these pages are not mounted in an Airflow, so it cannot be asked")
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self._base, headers=self._headers) as client:
            asked = client.request(method, f"/api/v2{path}", params=params, json=body)
            try:
                answer = await asyncio.wait_for(asked, SECONDS)
            except TimeoutError as error:
                raise AirflowAsked(f"Airflow did not answer {method} {path} within {SECONDS:g} s") from error
        if answer.status_code in {401, 403}:
            raise HTTPException(answer.status_code, f"Airflow does not let you do that: {_detail(answer)}")
        if answer.is_error:
            raise AirflowAsked(f"Airflow answers {answer.status_code}: {_detail(answer)}")
        return answer.json()


def _detail(answer: httpx.Response) -> str:
    try:
        said = answer.json().get("detail")
    except (ValueError, AttributeError):
        said = answer.text
    return str(said)[:300]
