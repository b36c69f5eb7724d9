"""The sandbox's MLflow, for programs that run in Airflow's environment."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from sandbox.endpoints import Endpoints


def client(at: "Endpoints") -> "MlflowClient":
    """A client of tracking and registry."""
    from mlflow import MlflowClient

    # A plugin that sagemaker registers takes every tracking URI for an ARN, and MLflow tells so at every call.
    logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)
    return MlflowClient(at.url("mlflow"), at.url("mlflow"))
