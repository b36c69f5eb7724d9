"""Which cluster an application means."""

import pytest

from sandbox.argocd.clusters import Clusters
from sandbox.argocd.errors import KubernetesError
from sandbox.rancher.kubeconfig import identifier, kubeconfig

EAST, WEST = (f"https://rancher.example/k8s/clusters/{identifier(name)}" for name in ("east", "west"))


@pytest.fixture
def clusters(tmp_path):
    (tmp_path / "east.kubeconfig").write_text(kubeconfig("east", EAST, "token"))
    return Clusters(tmp_path / "own", tmp_path)


def of(clusters, **destination):
    return clusters.of({"spec": {"destination": destination}})


def test_a_destination_is_a_url_or_a_name(clusters, tmp_path):
    own = of(clusters, server="https://kubernetes.default.svc")
    assert own is of(clusters, name="in-cluster")
    east = of(clusters, server=f"{EAST}/")
    assert east is of(clusters, name="east")
    assert east is not own
    (tmp_path / "west.kubeconfig").write_text(kubeconfig("west", WEST, "token"))
    assert of(clusters, server=WEST) is not east


def test_a_cluster_that_was_not_registered_is_refused(clusters, tmp_path):
    for destination in ({"server": WEST}, {"name": "west"}):
        with pytest.raises(KubernetesError, match="there are no clusters with this"):
            of(clusters, **destination)
    with pytest.raises(KubernetesError, match="there are no clusters"):
        of(Clusters(tmp_path / "own"), server=EAST)
