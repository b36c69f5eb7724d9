"""The app: pages for Airflow's users, rendered on the server; what fails says so in words, never by a trace."""

import logging
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.staticfiles import StaticFiles

from flightline.ui import data, home, models, query, render, systems, workspaces
from include.foundation.echo import cause, cut
from include.foundation.errors import AccessRefused, FlightlineError, InvalidInput, MissingInput

log = logging.getLogger(__name__)
STATUS: dict[type[Exception], int] = {MissingInput: 404, InvalidInput: 400, AccessRefused: 403}


def build() -> FastAPI:
    """The app, to be mounted by Airflow."""
    pages = FastAPI(title="Flightline", docs_url=None, redoc_url=None, openapi_url=None)
    for part in (systems, home, data, models, query, workspaces):
        pages.include_router(part.router)
    pages.mount("/static", StaticFiles(directory=render.HERE / "static"), name="static")
    pages.add_exception_handler(Exception, _failed)
    for kind in (FlightlineError, AirflowException, StarletteHTTPException, RequestValidationError):
        pages.add_exception_handler(kind, _said)
    return pages


def _said(request: Request, error: Exception) -> Response:
    """An error that was raised on purpose."""
    if isinstance(error, StarletteHTTPException):
        words = "log in to Airflow first, then load this page again" if error.status_code == 401 else str(error.detail)
        return _answer(request, error.status_code, words)
    if isinstance(error, RequestValidationError):
        return _answer(request, 422, "; ".join(map(_fault, error.errors()[:5])))
    if isinstance(error, AirflowNotFoundException):
        return _answer(request, 503, f"{cause(error)}: whoever runs this Airflow can add the Connection")
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
    return _answer(request, status, str(error))


def _failed(request: Request, error: Exception) -> Response:
    """Any other error: its text may hold anything, so it goes to the log alone."""
    log.error("page %s failed", request.url.path, exc_info=error)
    return _answer(request, 500, "this page failed; the log of the api-server has the reason")


def _fault(said: Any) -> str:
    return cut(f"{said.get('loc', ('?',))[-1]}: {said.get('msg', '')}", 200)


def _answer(request: Request, status: int, message: str) -> Response:
    root = f"{request.scope.get('root_path', '')}/"
    return render.refusal(status, message, root=root, part="hx-request" in request.headers)
