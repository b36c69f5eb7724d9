"""What a training pod learns from its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake

ENDPOINTS = ("MLFLOW_TRACKING_URI", "SIGOPT_API_URL", "SIGOPT_API_TOKEN", "FLIGHTLINE_LANDING", "FLIGHTLINE_MODELS")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Attributes.

    image: what runs, for the record (`FLIGHTLINE_IMAGE`).
    worker: name of this worker (`POD_NAME`, else the host's).
    allow_dirty: accept a checkout with uncommitted changes (`FLIGHTLINE_ALLOW_DIRTY=1`, the sandbox).
    machine: parameters that every model takes and that say nothing about the model: `num_threads`
        (`FLIGHTLINE_THREADS`, 1) and `device` (`FLIGHTLINE_DEVICE`: cpu or gpu).
    """

    image: str
    worker: str
    allow_dirty: bool
    machine: Mapping[str, Any]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read them.

        Raises:
            InvalidInput: a value is none of those allowed.
        """
        device, threads = environ.get("FLIGHTLINE_DEVICE", "cpu"), environ.get("FLIGHTLINE_THREADS", "1")
        if device not in {"cpu", "gpu"}:
            raise InvalidInput(f"FLIGHTLINE_DEVICE is {device!r}; it must be cpu or gpu")
        if not threads.isdecimal() or int(threads) < 1:
            raise InvalidInput(f"FLIGHTLINE_THREADS is {threads!r}; it must be a number of threads")
        return cls(
            image=environ.get("FLIGHTLINE_IMAGE", "none"),
            worker=environ.get("POD_NAME") or os.uname().nodename,
            allow_dirty=environ.get("FLIGHTLINE_ALLOW_DIRTY") == "1",
            machine={"num_threads": int(threads), "device": device},
        )


def services(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """MLflow's `client`, the tuning service's `connection` and the `lake`, as the environment names them.

    Raises:
        InvalidInput: a variable is not set. MLflow would make a database in the working directory instead.
    """
    if missing := [name for name in ENDPOINTS if not environ.get(name)]:
        raise InvalidInput(f"set {', '.join(missing)}: where the services are (docs/ARCHITECTURE.md)")
    from mlflow import MlflowClient
    from sigopt import Connection

    lake = Lake.from_env(environ)
    connection = Connection(client_token=environ["SIGOPT_API_TOKEN"])
    connection.set_api_url(environ["SIGOPT_API_URL"])
    return {"client": MlflowClient(environ["MLFLOW_TRACKING_URI"]), "connection": connection, "lake": lake}
