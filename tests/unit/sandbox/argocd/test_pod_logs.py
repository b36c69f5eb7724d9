import json

import pytest

from sandbox.argocd import pod_logs
from sandbox.argocd.errors import ArgoError

NODES = [{"kind": "Deployment", "name": "web", "namespace": "a"}, {"kind": "Pod", "name": "web-1", "namespace": "a"}]


def test_only_pods_of_the_application_have_logs() -> None:
    assert pod_logs.find(NODES, "web-1", "") == pod_logs.find(NODES, "web-1", "a") == NODES[1]
    for pod, namespace in (("web", "a"), ("web-1", "b"), ("web-2", "")):
        with pytest.raises(ArgoError, match=f"pod {pod} not found as part of the application"):
            pod_logs.find(NODES, pod, namespace)


def test_the_cluster_is_asked_for_what_argo_cd_is_asked_for() -> None:
    query = {"tailLines": "3", "container": "", "previous": "true", "follow": "false", "namespace": "a"}
    assert pod_logs.asked(query) == {"tailLines": "3", "previous": "true", "timestamps": "true"}
    assert pod_logs.asked({"tailLines": "0"}) == {"timestamps": "true"}
    with pytest.raises(ArgoError, match="tailLines"):
        pod_logs.asked({"tailLines": "-1"})


def test_entries_are_json_lines_and_the_last_one_says_so() -> None:
    text = "2026-01-02T03:04:05Z it is late\n2026-01-02T03:04:06Z \n"
    entries = [json.loads(line)["result"] for line in pod_logs.entries("web-1", text)]
    assert [(each["content"], each["last"]) for each in entries] == [("it is late", False), ("", False), ("", True)]
    assert entries[0]["timeStampStr"] == "2026-01-02T03:04:05Z"
    assert {each["podName"] for each in entries} == {"web-1"}
