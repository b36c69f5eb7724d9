"""Entries of Airflow's menu, and the app behind them. Only the api-server pays for its imports, when somebody calls."""

from functools import cache
from typing import Any

PREFIX = "/flightline"
NAMES = {"mlflow": "MLflow", "argocd": "Argo CD", "endpoints": "Endpoints"}
_BASE = PREFIX.removeprefix("/")  # relative to Airflow's base URL, which may have a path

VIEWS = [
    {
        "name": "Flightline",
        "href": f"{_BASE}/",
        "destination": "nav",
        "url_route": "flightline",
        "nav_top_level": True,
        "icon": f"{_BASE}/static/icon.svg",
        "icon_dark_mode": f"{_BASE}/static/icon-dark.svg",
    },
    *(
        {"name": name, "href": f"{_BASE}/{path}", "destination": "nav", "category": "browse"}
        for path, name in NAMES.items()
    ),
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI app. It keeps Airflow's own app, which mounts it, so that pages can ask Airflow's API as their user."""
    await _pages()({**scope, "flightline.airflow": scope.get("app")}, receive, send)


@cache
def _pages() -> Any:
    from flightline.ui.pages import build

    return build()
