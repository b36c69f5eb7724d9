"""MLflow's tracking server and registry."""

import logging
import os
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from flightline.hooks.address import base_url
from include.foundation.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient


class MlflowHook(BaseHook):
    """Turn a Connection of type `http` into MLflow's client. Login and password are optional basic credentials."""

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id

    @property
    def url(self) -> str:
        """Base URL of the server, without a trailing slash; its UI is there too."""
        return base_url(self.get_connection(self.mlflow_conn_id))

    def get_conn(self) -> "MlflowClient":
        """A client of the server. MLflow reads credentials from the process's environment, so they are put there."""
        from mlflow import MlflowClient

        # A plugin that sagemaker registers takes every tracking URI for an ARN, and MLflow tells so at every call.
        logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)
        connection = self.get_connection(self.mlflow_conn_id)
        if connection.login:
            os.environ["MLFLOW_TRACKING_USERNAME"] = connection.login
            os.environ["MLFLOW_TRACKING_PASSWORD"] = connection.password or ""
        return MlflowClient(tracking_uri=self.url, registry_uri=self.url)

    def run_url(self, run_id: str) -> str:
        """The page of a run."""
        experiment = self.get_conn().get_run(run_id).info.experiment_id
        return f"{self.url}/#/experiments/{experiment}/runs/{run_id}"

    def version_url(self, name: str, version: str) -> str:
        """The page of a registered version."""
        return f"{self.url}/#/models/{name}/versions/{version}"

    def read_text(self, run_id: str, path: str) -> str:
        """A text artifact of a run, path relative to the run's artifacts, as MLflow's own pages fetch it.

        Raises:
            ServiceUnavailable: the server does not give it.
        """
        import requests

        connection = self.get_connection(self.mlflow_conn_id)
        try:
            answer = requests.get(
                f"{self.url}/get-artifact",
                params={"run_uuid": run_id, "path": path},
                auth=(connection.login, connection.password or "") if connection.login else None,
                timeout=30,
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise ServiceUnavailable(f"MLflow does not give {path} of run {run_id}: {error}") from error
        return answer.content.decode()
