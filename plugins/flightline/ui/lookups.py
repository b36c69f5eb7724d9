"""What pages read from the systems behind the Connections, remembered for some seconds by all who look.

Rights are asked for each visitor before anything of this is shown.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from include.catalog.remembered import Remembered
from include.foundation.echo import cause
from include.foundation.errors import FlightlineError
from include.foundation.spec import load, load_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.catalog.browse import Catalog
    from include.catalog.versions import Evidence, Version
    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.promotion import Stage
    from include.stages.features.columns import Columns
    from include.stages.promotion.dora import Figures
    from include.stages.promotion.served import Served

log = logging.getLogger(__name__)
SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What Git and Argo CD say of a use case; `fault` says why something is missing."""

    served: tuple[Served, ...] = ()
    dora: Figures | None = None
    fault: str = ""

    @property
    def live(self) -> bool:
        """Whether the last stage serves a version: then one was champion, though none may have the alias now."""
        return bool(self.served and self.served[-1].version)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a stage answers; `fault` says why that is not known."""

    stage: str
    url: str = ""
    fault: str = ""


@cache
def lake() -> Lake:
    """The lake."""
    from flightline.hooks.lake import LakeHook

    return LakeHook().lake


@cache
def catalog() -> Catalog:
    """All tables."""
    from include.catalog.browse import Catalog

    return Catalog(lake, load_all)


def columns(use_case: str) -> Columns:
    """Of which columns of silver a use case's gold is made, where that is known."""
    return _columns(use_case)()


def versions(use_case: str) -> list[Version]:
    """All versions, newest first. Raises ServiceUnavailable where MLflow does not answer."""
    return _versions(use_case)()


def deployed(use_case: str) -> Deployed:
    """What is deployed."""
    return _deployed(use_case)()


def endpoints(use_case: str) -> tuple[Endpoint, ...]:
    """Where each stage answers."""
    return _endpoints(use_case)()


def evidence(version: Version) -> Evidence:
    """What a version's run left."""
    return _evidence(version.run_id)()


def outside(name: Literal["mlflow", "argocd", "grafana"]) -> str:
    """URL of a system's pages, as its hook reads the Connection; empty where there is none."""
    from flightline.hooks.argocd import ArgoCDHook
    from flightline.hooks.grafana import GrafanaHook
    from flightline.hooks.mlflow import MlflowHook

    hooks: dict[str, type[MlflowHook | ArgoCDHook | GrafanaHook]]
    hooks = {"mlflow": MlflowHook, "argocd": ArgoCDHook, "grafana": GrafanaHook}
    try:
        return hooks[name]().url
    except AirflowNotFoundException:
        return ""


@cache
def _columns(use_case: str) -> Callable[[], Columns]:
    def read() -> Columns:
        from include.stages.features.columns import known

        return known(lake(), load(use_case))

    return Remembered(read, seconds=60)


@cache
def _versions(use_case: str) -> Callable[[], list[Version]]:
    def read() -> list[Version]:
        from flightline.hooks.mlflow import MlflowHook
        from include.catalog.versions import versions

        return versions(MlflowHook().get_conn(), use_case)

    return Remembered(read, seconds=SECONDS)


@cache
def _evidence(run_id: str) -> Callable[[], Evidence]:
    def read() -> Evidence:
        from flightline.hooks.mlflow import MlflowHook
        from include.catalog.versions import evidence

        hook = MlflowHook()
        return evidence(lambda path: hook.read_text(run_id, path))

    return Remembered(read, seconds=60)


@cache
def _deployed(use_case: str) -> Callable[[], Deployed]:
    def read() -> Deployed:
        from flightline.hooks.gitops import GitOpsHook
        from include.stages.promotion.served import served

        spec = load(use_case)
        try:
            found = served(spec, GitOpsHook().read(spec.slug))
        except Exception as error:  # noqa: BLE001 (the page shows what else there is)
            return Deployed(fault=f"what is deployed is not known: {_words(error)}")
        if not found[-1].version:  # nothing was ever deployed: Argo CD knows no application
            return Deployed(served=found)
        try:
            return Deployed(served=found, dora=deploys(spec))
        except Exception as error:  # noqa: BLE001 (the same)
            return Deployed(served=found, fault=f"how deploying goes is not known: {_words(error)}")

    return Remembered(read, seconds=SECONDS)


def deploys(spec: UseCase) -> Figures:
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


@cache
def _endpoints(use_case: str) -> Callable[[], tuple[Endpoint, ...]]:
    def read() -> tuple[Endpoint, ...]:
        spec = load(use_case)
        return tuple(_endpoint(spec, stage) for stage in spec.promotion.stages)

    return Remembered(read, seconds=SECONDS)


def _endpoint(spec: UseCase, stage: Stage) -> Endpoint:
    from flightline.hooks.cluster import ClusterHook

    try:
        return Endpoint(stage=stage.name, url=ClusterHook.of(stage).endpoint(spec, stage))
    except Exception as error:  # noqa: BLE001 (not deployed, or the cluster is away: the others are shown)
        return Endpoint(stage=stage.name, fault=_words(error))


def _words(error: Exception) -> str:
    """What an error says that was raised on purpose; of any other the text may hold anything, so the log has it."""
    from kubernetes.client import ApiException

    if isinstance(error, ApiException):
        return f"the cluster says {error.status} {error.reason}"
    if isinstance(error, FlightlineError | AirflowException):
        return cause(error)
    log.error("a system behind a Connection was not read", exc_info=error)
    return "the log of the api-server has the reason"
