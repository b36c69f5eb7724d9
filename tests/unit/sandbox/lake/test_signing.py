"""The signature against AWS's documented example and against botocore's own signer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.lake.signing import Request, Signer

SIGNER = Signer(
    access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region="us-east-1"
)
AT = datetime(2013, 5, 24, tzinfo=UTC)
# "Example: GET Object" of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
DOCUMENTED = Request(
    method="GET",
    path="/test.txt",
    query="",
    headers={
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-amz-date": "20130524T000000Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    },
)


# The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
PRESIGNED = Request(
    method="GET",
    path="/test.txt",
    query="X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
    "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    headers={"host": "examplebucket.s3.amazonaws.com"},
)


def test_accepts_the_documented_examples() -> None:
    assert SIGNER.accepts(DOCUMENTED, at=AT)
    assert SIGNER.accepts(PRESIGNED, at=AT + timedelta(days=1))


@pytest.mark.parametrize(
    ("changed", "late"),
    [
        ({}, timedelta(days=1, seconds=1)),
        ({"method": "PUT"}, timedelta()),
        ({"path": "/other.txt"}, timedelta()),
        ({"query": PRESIGNED.query.replace("86400", "86401")}, timedelta()),
        ({"query": PRESIGNED.query.replace("f604d404", "f604d405")}, timedelta()),
        ({"query": PRESIGNED.query.partition("&X-Amz-Signature")[0]}, timedelta()),
        ({"query": PRESIGNED.query.replace("86400", "many")}, timedelta()),
    ],
)
def test_refuses_a_changed_or_expired_url(changed, late) -> None:
    assert not SIGNER.accepts(replace(PRESIGNED, **changed), at=AT + late)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"path": "/other.txt"},
        {"query": "versionId=1"},
        {"headers": {**DOCUMENTED.headers, "range": "bytes=0-10"}},
        {"headers": {**DOCUMENTED.headers, "authorization": ""}},
        {"headers": {**DOCUMENTED.headers, "authorization": DOCUMENTED.headers["authorization"] + "é"}},
        {"headers": {**DOCUMENTED.headers, "authorization": "Basic Zm9vOmJhcg=="}},
        {"headers": {**DOCUMENTED.headers, "x-amz-date": "yesterday"}},
        {"headers": {name: value for name, value in DOCUMENTED.headers.items() if name != "x-amz-content-sha256"}},
    ],
)
def test_refuses_a_changed_request(changed) -> None:
    assert not SIGNER.accepts(replace(DOCUMENTED, **changed), at=AT)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_refuses_a_replay_after_a_quarter_of_an_hour(minutes) -> None:
    assert not SIGNER.accepts(DOCUMENTED, at=AT + timedelta(minutes=minutes))


def test_refuses_other_keys() -> None:
    assert not replace(SIGNER, secret_key="other").accepts(DOCUMENTED, at=AT)
    assert not replace(SIGNER, access_key="other").accepts(DOCUMENTED, at=AT)


def test_accepts_its_own_signature() -> None:
    request = Request(method="PUT", path="/a%20b/c", query="partNumber=1&uploadId=x", headers={"host": "h:1"})
    added = SIGNER.headers(request)
    assert SIGNER.accepts(replace(request, headers={**request.headers, **added}))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/b/k", ""),
        ("/b/a%20b%2Bc/%C3%BC~", "list-type=2&prefix=a%2Fb%20c&delimiter=%2F&max-keys=7"),
        ("/b", "uploads"),
    ],
)
def test_accepts_what_botocore_signs(path, query) -> None:
    request = AWSRequest(method="GET", url=f"http://127.0.0.1:1{path}" + (f"?{query}" if query else ""))
    S3SigV4Auth(Credentials(SIGNER.access_key, SIGNER.secret_key), "s3", SIGNER.region).add_auth(request)
    headers = {"host": "127.0.0.1:1", **{name.lower(): value for name, value in request.headers.items()}}
    assert SIGNER.accepts(Request(method="GET", path=path, query=query, headers=headers))
