"""The clusters behind Rancher: what it says of each, and the way to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from sandbox.cluster.cluster import Cluster
from sandbox.rancher.kubeconfig import kubeconfig

ACTIVE = "active"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One cluster. `id` is not the name that people see, as in Rancher."""

    id: str
    name: str
    labels: Mapping[str, str]
    cluster: Cluster
    flag: Path

    @property
    def state(self) -> str:
        """What its file says, else active."""
        return self.flag.read_text().strip() if self.flag.exists() else ACTIVE

    def document(self, url: str) -> dict[str, Any]:
        """As `/v3/clusters` shows it."""
        active = self.state == ACTIVE
        return {
            "type": "cluster",
            "id": self.id,
            "name": self.name,
            "labels": dict(self.labels),
            "state": self.state,
            "transitioning": "no" if active else "error",
            "transitioningMessage": "" if active else "Cluster agent is not connected",
            "conditions": [
                {"type": "Provisioned", "status": "True"},
                {"type": "Ready", "status": "True" if active else "False"},
            ],
            "provider": "sandbox",
            "nodeCount": 1,
            "actions": {"generateKubeconfig": f"{url}/v3/clusters/{self.id}?action=generateKubeconfig"},
            "links": {"self": f"{url}/v3/clusters/{self.id}"},
        }

    def kubeconfig(self, url: str, token: str) -> str:
        """A kubeconfig through Rancher."""
        return kubeconfig(self.name, f"{url}/k8s/clusters/{self.id}", token)

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to the cluster, without Rancher's part of the path."""
        prefix = f"/k8s/clusters/{self.id}"
        path = scope["path"].removeprefix(prefix) or "/"
        await self.cluster({**scope, "path": path, "raw_path": path.encode()}, receive, send)
