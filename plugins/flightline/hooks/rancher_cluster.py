"""A cluster as Rancher tells it, and what its API says of room for work."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flightline.exceptions import ClusterUnavailable, RancherUnavailable
from include.foundation.echo import cut
from include.foundation.jobs import GPU

ACTIVE = "active"
_SHOWN = 300  # characters of a message that are repeated

Selection = str | Mapping[str, str] | None  # a cluster's name or id, or labels that it must have; None is any


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster as Rancher tells it. `id` is not the name that people see."""

    id: str
    name: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def usable(self) -> bool:
        """Whether Rancher says that it can be worked with."""
        return self.state == ACTIVE

    def __str__(self) -> str:
        """For messages."""
        return f"{self.name} ({self.id})"


def told(said: Mapping[str, Any]) -> Cluster:
    """Active is what says so and is Ready, where it tells that."""
    conditions = {each["type"]: each.get("status") for each in said.get("conditions") or []}
    state = str(said.get("state", "unknown"))
    if state == ACTIVE and conditions.get("Ready", "True") != "True":
        state = "not ready"
    return Cluster(
        id=str(said["id"]),
        name=str(said.get("name") or said["id"]),
        state=state,
        labels=said.get("labels") or {},
        message=cut(str(said.get("transitioningMessage") or ""), _SHOWN),
    )


@contextmanager
def reaching(cluster: Cluster) -> Iterator[None]:
    """Say of which cluster it is that Rancher cannot pass a call on to it.

    Raises:
        ClusterUnavailable: instead of RancherUnavailable.
    """
    try:
        yield
    except RancherUnavailable as error:
        raise ClusterUnavailable(f"cluster {cluster} cannot be reached: {error}") from error


def gpus_left(nodes: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]]) -> int:
    """GPUs of ready, schedulable nodes that no pod has asked for; nodes and pods as the Kubernetes API gives them."""
    left = 0
    for node in nodes:
        conditions = node["status"].get("conditions") or []
        if not node.get("spec", {}).get("unschedulable") and any(
            each["type"] == "Ready" and each["status"] == "True" for each in conditions
        ):
            asked = sum(_asked(pod) for pod in pods if pod["spec"].get("nodeName") == node["metadata"]["name"])
            left += int((node["status"].get("allocatable") or {}).get(GPU, 0)) - asked
    waiting = sum(_asked(pod) for pod in pods if not pod["spec"].get("nodeName"))
    return max(left - waiting, 0)


def _asked(pod: Mapping[str, Any]) -> int:
    return sum(
        int(((each.get("resources") or {}).get("requests") or {}).get(GPU, 0)) for each in pod["spec"]["containers"]
    )
