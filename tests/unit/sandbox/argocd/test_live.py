import json

import httpx
import pytest

from sandbox.argocd import live
from sandbox.argocd.errors import KubernetesError
from sandbox.argocd.live import Cluster


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster of one pod that has logged, asked through a transport in memory."""

    def answer(request):
        if request.url.path == "/api/v1/namespaces/web/pods/web-1/log":
            assert dict(request.url.params) == {"tailLines": "20", "limitBytes": "8192"}
            return httpx.Response(200, text="started\nready\n")
        return httpx.Response(404, json={"message": "pods not found"})

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://cluster")
    monkeypatch.setattr(live, "_connect", lambda _: client)
    return Cluster(tmp_path / "kubeconfig")


def test_last_lines_of_a_pod(cluster):
    assert cluster.log("web", "web-1") == "started\nready\n"


@pytest.mark.parametrize("pod", ["web-2", "../../../secrets", "web-1?container=x"])
def test_no_log_is_told_with_the_cluster_s_reason(cluster, pod):
    with pytest.raises(KubernetesError, match="pods not found") as caught:
        cluster.log("web", pod)
    assert caught.value.status == 404


def test_an_answer_that_is_json_is_parsed(cluster, monkeypatch):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"groups": [], "resources": []}))
    monkeypatch.setattr(live, "_connect", lambda _: httpx.Client(transport=transport, base_url="http://cluster"))
    assert json.dumps(cluster.kinds()) == "{}"
