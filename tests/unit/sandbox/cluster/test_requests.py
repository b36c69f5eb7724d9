import asyncio

import pytest
from starlette.requests import Request

from sandbox.cluster.requests import MAX_BYTES, decode, parse_path, read
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


@pytest.mark.parametrize("body", [b'{"a":' * 5000 + b"1" + b"}" * 5000, b" " + b"[" * 500_000, b"- " * 5000 + b"a"])
def test_a_body_that_is_nested_too_deep_is_refused(body):
    with pytest.raises(ApiError) as caught:
        decode(body)
    assert caught.value.code == 400
    assert len(caught.value.message) < 1000


def test_too_large_a_body_is_refused_in_the_apis_words():
    async def receive():
        return {"type": "http.request", "body": b" " * (MAX_BYTES + 1), "more_body": False}

    with pytest.raises(ApiError, match="Request entity too large: limit is 3145728") as caught:
        asyncio.run(read(Request({"type": "http", "method": "POST", "headers": []}, receive)))
    assert (caught.value.code, caught.value.reason) == (413, "RequestEntityTooLarge")
