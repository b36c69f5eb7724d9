"""The pages behind Airflow's menu that lead to other systems, by the Connections."""

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse

if TYPE_CHECKING:
    from include.foundation.spec import UseCase
    from include.stages.promotion.dora import Figures

router = APIRouter(dependencies=[Depends(get_user)])


@router.get("/mlflow")
def mlflow() -> RedirectResponse:
    """MLflow."""
    from flightline.hooks.mlflow import MlflowHook

    return RedirectResponse(MlflowHook().url)


@router.get("/argocd")
def argocd() -> RedirectResponse:
    """Argo CD."""
    from flightline.hooks.argocd import ArgoCDHook

    return RedirectResponse(ArgoCDHook().url)


@router.get("/endpoints")
def endpoints() -> HTMLResponse:
    """The endpoints of all stages."""
    return HTMLResponse(_endpoints())


def _endpoints() -> str:
    from flightline.hooks.cluster import ClusterHook
    from include.foundation.spec import load_all

    rows, told = [], []
    for spec in load_all():
        try:
            words = str(deploys(spec))
        except Exception as error:  # noqa: BLE001 (as below)
            words = f"how deploying goes is not known: {str(error)[:200]}"
        told.append(f"<p>{escape(spec.title)}: {escape(words)}.</p>")
        for stage in spec.promotion.stages:
            try:
                url = escape(ClusterHook.of(stage).endpoint(spec, stage))
                link = f'<a href="{url}">{url}</a>'
            except Exception as error:  # noqa: BLE001 (not deployed, or the cluster is away: the others are shown)
                link = f"none ({escape(str(getattr(error, 'reason', None) or error)[:200])})"
            rows.append(f"<tr><td>{escape(spec.title)}</td><td>{escape(stage.name)}</td><td>{link}</td></tr>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Endpoints</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem}td{padding:.3rem 1rem .3rem 0}</style>"
        f"<h1>Endpoints</h1><table>{''.join(rows)}</table>"
        f"<h2>Deploys</h2>{''.join(told)}"
    )


def deploys(spec: "UseCase") -> "Figures":
    """DORA's measures, by Git's history and what Argo CD still knows of it."""
    from flightline.hooks.argocd import ArgoCDHook
    from flightline.hooks.gitops import GitOpsHook
    from include.stages.promotion import dora

    commits = dora.parse(GitOpsHook().history(spec.slug, dora.FORMAT))
    stage = spec.promotion.stages[-1].name
    application = ArgoCDHook().application(spec.application(stage)) if commits else {}
    synced = {
        entry["revision"]: datetime.fromisoformat(entry["deployedAt"])
        for entry in application.get("status", {}).get("history") or ()
    }
    return dora.figures(commits, last_stage=stage, now=datetime.now(UTC), synced=synced)
