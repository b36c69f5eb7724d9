import pytest

from sandbox.cluster.requests import decode, parse_path
from sandbox.cluster.status import ApiError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods", ("pods", "", "", "", "")),
        ("/api/v1/namespaces/n/pods", ("pods", "n", "", "", "")),
        ("/api/v1/namespaces/n/pods/p", ("pods", "n", "p", "", "")),
        ("/api/v1/namespaces/n/pods/p/log", ("pods", "n", "p", "log", "")),
        ("/api/v1/namespaces/n", ("namespaces", "", "n", "", "")),
        ("/api/v1/namespaces/n/status", ("namespaces", "", "n", "status", "")),
        ("/api/v1/nodes/sandbox", ("nodes", "", "sandbox", "", "")),
        ("/apis/apps/v1/namespaces/n/deployments/d/scale", ("deployments", "n", "d", "scale", "")),
        ("/apis/batch/v1/jobs", ("jobs", "", "", "", "")),
        ("/api/v1/namespaces/n/services/s:80/proxy/a/b/", ("services", "n", "s:80", "proxy", "a/b/")),
        ("/api/v1/namespaces/n/services/s/proxy", ("services", "n", "s", "proxy", "")),
        ("/api/v1/namespaces/n/services/s/proxy/", ("services", "n", "s", "proxy", "")),
    ],
)
def test_paths(path, expected):
    resource, *rest = parse_path(path)
    assert (resource.name, *rest) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v2/pods",
        "/api/v1/deployments",
        "/apis/apps/v1/pods",
        "/apis/apps/v1beta1/deployments",
        "/api/v1/pods/p",
        "/api/v1/namespaces/n/nodes",
        "/api/v1/namespaces/n/pods/p/exec",
        "/api/v1/namespaces/n/configmaps/c/status",
        "/apis/example.com/v1/namespaces/n/things",
        "/other/v1/pods",
    ],
)
def test_what_is_no_path_of_the_api(path):
    assert parse_path(path) is None


def test_bodies_are_json_or_yaml():
    assert decode(b'{"a": [1]}') == decode(b"a: [1]") == {"a": [1]}
    with pytest.raises(ApiError) as caught:
        decode(b"{a: [")
    assert caught.value.code == 400
