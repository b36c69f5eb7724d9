"""Workspaces: a person's own list, and opening, extending and stopping them. Who runs the cluster sees and stops all.

The token that opens one is shown to nobody but its owner's browser, in the body of a page that is not kept, and goes to
the workspace in the body of a form: no address holds it, so no log does.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, HTTPException
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse

from flightline.hooks.workspaces import WorkspaceHook
from flightline.ui import render
from flightline.ui.access import Looking, Posting, Visitor
from flightline.workspaces.objects import rights
from flightline.workspaces.settings import Settings, Wanted

DAG = "platform.workspace"
router = APIRouter(prefix="/workspaces")
Name = Annotated[str, InPath(pattern="^[a-z0-9-]{1,63}$")]


@router.get("")
def page(visitor: Looking) -> HTMLResponse:
    """The list, and the form for another one."""
    return render.page(
        "workspaces.html",
        visitor,
        **_listed(visitor),
        rights=rights(visitor.name),
        wanted=Wanted(),
        may_start=visitor.may_start(DAG),
    )


@router.get("/list")
def part(visitor: Looking) -> HTMLResponse:
    """The part of the page that changes."""
    return render.page("workspace_list.html", visitor, **_listed(visitor))


def _listed(visitor: Visitor) -> dict[str, Any]:
    hook = WorkspaceHook()
    found = hook.every() if visitor.runs_the_cluster else hook.of(visitor.name)
    settings: Settings | None = hook.places[0].settings if hook.places else None
    workspaces = sorted((each for _, each in found), key=lambda each: (each.user != visitor.name, each.name))
    return {"workspaces": workspaces, "settings": settings}


@router.post("/start")
def start(
    visitor: Posting,
    *,
    cpus: Annotated[int, Form()],
    memory_gib: Annotated[int, Form()],
    gpus: Annotated[int, Form()],
    hours: Annotated[int, Form()],
    image: Annotated[str, Form(max_length=300)] = "",
) -> HTMLResponse:
    """Start the Dag as the visitor, whose login it goes by."""
    if not visitor.may_start(DAG):
        raise HTTPException(403, f"you may not start {DAG}: your role in Airflow does not let you")
    conf = {"image": image or None, "cpus": cpus, "memory_gib": memory_gib, "gpus": gpus, "hours": hours}
    run_id = visitor.airflow.start(DAG, conf)
    return render.page("workspace_started.html", visitor, dag_id=DAG, run_id=run_id)


@router.get("/{name}/open")
def enter(visitor: Looking, name: Name) -> HTMLResponse:
    """A page that sends its owner's browser into the workspace, by a form with the token."""
    origin, token = WorkspaceHook().token(name, user=visitor.name)
    answer = render.page("workspace_open.html", visitor, name=name, origin=origin, token=token)
    policy = render.SECURE["Content-Security-Policy"]
    host = "{0.scheme}://{0.netloc}".format(urlsplit(origin))
    policy = policy.replace("form-action 'self'", f"form-action {host}")
    answer.headers["Content-Security-Policy"] = policy.replace("frame-ancestors 'self'", "frame-ancestors 'none'")
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@router.post("/{name}/extend")
def extend(visitor: Posting, name: Name, hours: Annotated[int, Form(ge=1, le=168)]) -> HTMLResponse:
    """Let it go on for so many hours from now."""
    WorkspaceHook().extend(name, hours, user=visitor.name)
    return part(visitor)


@router.post("/{name}/stop")
def stop(visitor: Posting, name: Name) -> HTMLResponse:
    """Stop it; the home stays."""
    WorkspaceHook().stop(name, user=None if visitor.runs_the_cluster else visitor.name)
    return part(visitor)
