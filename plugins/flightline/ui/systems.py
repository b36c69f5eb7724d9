"""The pages behind Airflow's menu that lead to other systems, by the Connections."""

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse

from flightline.ui import lookups, render
from flightline.ui.access import Looking

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
def endpoints(visitor: Looking) -> HTMLResponse:
    """Where the stages of each use case answer, and how deploying goes."""
    found = [(spec, lookups.endpoints(spec.name), lookups.deployed(spec.name)) for spec in visitor.specs()]
    return render.page("endpoints.html", visitor, found=found)
