"""What the stand-in takes, before it looks at what is asked."""

import httpx
import pytest

from sandbox.sagemaker.server import MAX_BYTES
from tests.unit import hosting

TARGET = {"X-Amz-Target": "SageMaker.ListEndpoints", "Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with hosting.running(tmp_path_factory.mktemp("server")) as one:
        yield one.url


def test_another_name_is_sent_away(url):
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421


def test_a_body_that_is_too_large_or_too_deep_is_refused(url):
    large = httpx.post(url, headers=TARGET, content=b" " * (MAX_BYTES + 1))
    assert (large.status_code, large.text) == (413, "a body has 6291456 bytes at most")
    deep = httpx.post(url, headers=TARGET, content=b'{"a":' * 5000 + b"1" + b"}" * 5000)
    assert (deep.status_code, deep.text) == (400, "the JSON is nested more than 32 levels deep")
