"""Grafana's annotations: marks on every picture, at the moment when something was done.

https://grafana.com/docs/grafana/latest/developers/http_api/annotations/.
"""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseHook

from flightline.hooks.address import base_url

SECONDS = 10.0


class GrafanaHook(BaseHook):
    """Turn a Connection of type `http` into annotations.

    The password is a service account's token; with a login it is that user's. Who it is needs `annotations:create` and
    `annotations:read`.
    """

    conn_name_attr = "grafana_conn_id"
    default_conn_name = "grafana"
    hook_name = "Grafana"

    def __init__(self, grafana_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.grafana_conn_id = grafana_conn_id

    @property
    def url(self) -> str:
        """Base URL of the server and its pages, without a trailing slash."""
        return base_url(self.get_connection(self.grafana_conn_id))

    def get_conn(self) -> Any:
        """A client of the API. Raises AirflowNotFoundException without the Connection."""
        import httpx

        connection = self.get_connection(self.grafana_conn_id)
        auth = (connection.login, connection.password or "") if connection.login else None
        headers = {"Authorization": f"Bearer {connection.password}"} if connection.password and not auth else {}
        return httpx.Client(base_url=f"{self.url}/api", auth=auth, headers=headers, timeout=SECONDS)

    def annotate(self, key: str, text: str, tags: Sequence[str]) -> int:
        """Make an annotation, or find the one with this key: Grafana itself would make a second one.

        Args:
            key: what is marked; a tag of the annotation.
            text: what is shown.
            tags: by which dashboards choose.

        Returns:
            The annotation's id.

        Raises:
            httpx.HTTPError: Grafana does not answer, or refuses.
        """
        with self.get_conn() as client:
            found = client.get("/annotations", params={"tags": key, "limit": 1}).raise_for_status().json()
            if found:
                return int(found[0]["id"])
            made = client.post("/annotations", json={"text": text, "tags": [*tags, key]}).raise_for_status().json()
        return int(made["id"])
