"""The clusters that applications name as their destination: Argo CD's own, and those that were registered."""

from pathlib import Path
from typing import Any

import yaml

from sandbox.argocd.errors import KubernetesError
from sandbox.argocd.live import Cluster

IN_CLUSTER, IN_CLUSTER_NAME = "https://kubernetes.default.svc", "in-cluster"


class Clusters:
    """By URL, or by name. A registered cluster is a kubeconfig in a folder, which is looked at each time.

    Args:
        own: kubeconfig of the cluster that Argo CD is in.
        registered: folder of the others' kubeconfigs, `<name>.kubeconfig`.
    """

    def __init__(self, own: Path, registered: Path | None = None) -> None:
        self._own, self._registered = Cluster(own), registered
        self._known: dict[Path, Cluster] = {}

    def of(self, app: dict[str, Any]) -> Cluster:
        """The application's destination.

        Raises:
            KubernetesError: no such cluster is registered.
        """
        destination = app["spec"]["destination"]
        server, name = destination.get("server"), destination.get("name")
        if server == IN_CLUSTER or (not server and name == IN_CLUSTER_NAME):
            return self._own
        for path in sorted(self._registered.glob("*.kubeconfig")) if self._registered else ():
            if (path.stem == name) if not server else (_server(path) == server.rstrip("/")):
                return self._known.setdefault(path, Cluster(path))
        what = f"server {server!r}" if server else f"name {name!r}"
        raise KubernetesError(None, f"Unable to find destination server: there are no clusters with this {what}")


def _server(kubeconfig: Path) -> str:
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    return str(config["clusters"][0]["cluster"]["server"]).rstrip("/")
