"""What S3 answers, as the errors of here; against a real S3: tests/integration/test_lake.py."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, IncompleteReadError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput, MissingInput, ServiceUnavailable
from include.foundation.lake.objects import CONFLICTS, S3, Object, Objects
from include.foundation.lake.scan import _access

URI = "s3://lake/a/b.txt"
AT = {"Bucket": "lake", "Key": "a/b.txt"}
AT_NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
TEXTS = st.text(min_size=1)
WHOLE = st.builds(S3, endpoint=TEXTS, region=TEXTS, access_key=TEXTS, secret_key=TEXTS)


@pytest.fixture
def s3() -> Iterator[tuple[Objects, Stubber]]:
    """Objects over botocore's own stub, which checks what is asked for against S3's description."""
    objects = Objects()
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    vars(objects)["_client"] = client
    with Stubber(client) as stub:
        yield objects, stub
        stub.assert_no_pending_responses()


@settings(max_examples=50, deadline=None)
@given(WHOLE)
def test_settings_survive_the_environment_and_the_catalog(settings: S3) -> None:
    assert S3.from_env(settings.env()) == settings
    assert S3.from_iceberg(settings.iceberg()) == settings


def test_the_token_of_temporary_keys_goes_where_they_go() -> None:
    vended = S3(access_key="a", secret_key="b", session_token="hidden")
    assert S3.from_iceberg(vended.iceberg()) == vended
    assert Objects(vended)._client._request_signer._credentials.token == "hidden"
    assert _access(vended)["storage_options"]["aws_session_token"] == "hidden"
    assert S3.from_env(vended.env()) is None, "boto renews those of the environment"
    assert "hidden" not in repr(vended)


def test_what_is_not_said_is_left_to_boto() -> None:
    assert S3().env() == S3().iceberg() == {}
    assert S3.from_env({}) is None
    assert S3.from_env({"AWS_ENDPOINT_URL": "http://s3"}) == S3(endpoint="http://s3")


def test_temporary_keys_are_left_to_boto_which_renews_them() -> None:
    environ = S3(access_key="a", secret_key="b").env()
    assert S3.from_env(environ | {"AWS_SESSION_TOKEN": "t"}) is None


def test_the_secret_is_not_shown() -> None:
    assert "hidden" not in repr(S3(access_key="a", secret_key="hidden"))


@pytest.mark.parametrize("uri", ["", "lake/a", "file:///lake/a", "s3://", "s3:///a", "S3://lake/a"])
def test_what_is_no_uri_of_an_object_is_refused_before_anything_is_sent(uri: str, s3: tuple[Objects, Stubber]) -> None:
    objects, _ = s3
    for act in (objects.get, objects.stat, objects.exists, objects.delete, lambda uri: [*objects.list(uri)]):
        with pytest.raises(InvalidInput, match="is not an s3://bucket/key address"):
            act(uri)
    with pytest.raises(InvalidInput, match="is not an s3://bucket/key address"):
        objects.put(uri, b"")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("NoSuchKey", 404, MissingInput),
        ("NoSuchBucket", 404, MissingInput),
        ("404", 404, MissingInput),
        ("PreconditionFailed", 412, InvalidInput),
        ("SlowDown", 503, ServiceUnavailable),
        ("InternalError", 500, ServiceUnavailable),
        ("AccessDenied", 403, ClientError),
    ],
)
def test_a_refusal_is_told_by_its_kind_and_names_the_object(
    s3: tuple[Objects, Stubber], code: str, status: int, error: type[Exception]
) -> None:
    objects, stub = s3
    stub.add_client_error("get_object", code, http_status_code=status, expected_params=AT)
    with pytest.raises(error) as told:
        objects.get(URI)
    assert error is ClientError or URI in str(told.value)


def test_what_is_missing_does_not_exist(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    stub.add_client_error("head_object", "404", http_status_code=404)
    stub.add_response("head_object", {"ContentLength": 0, "ETag": '"e"', "LastModified": AT_NOON}, AT)
    assert [objects.exists(URI) for _ in range(2)] == [False, True]


def test_a_store_that_does_not_answer_is_not_taken_for_an_absent_object(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    stub.add_client_error("head_object", "503", http_status_code=503)
    with pytest.raises(ServiceUnavailable, match=URI):
        objects.exists(URI)


def test_an_object_is_put_if_absent_by_one_conditional_request(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    wanted = {**AT, "Body": b"x", "IfNoneMatch": "*"}
    stub.add_response("put_object", {}, wanted)
    stub.add_client_error("put_object", "PreconditionFailed", http_status_code=412, expected_params=wanted)
    stub.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
    assert objects.put_if_absent(URI, b"x") is True
    assert objects.put_if_absent(URI, b"x") is False
    with pytest.raises(MissingInput, match=URI):
        objects.put_if_absent(URI, b"x")


def test_who_meets_another_writer_of_the_object_looks_again(s3: tuple[Objects, Stubber], monkeypatch: Any) -> None:
    monkeypatch.setattr("include.foundation.lake.objects.time.sleep", lambda _: None)
    objects, stub = s3
    for code, status in (("ConditionalRequestConflict", 409), ("PreconditionFailed", 412)):
        stub.add_client_error("put_object", code, http_status_code=status)
    assert objects.put_if_absent(URI, b"x") is False
    for _ in range(CONFLICTS):
        stub.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    with pytest.raises(ServiceUnavailable, match=URI):
        objects.put_if_absent(URI, b"x")


def test_an_age_is_by_the_clock_of_s3(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    told = {"HTTPHeaders": {"date": "Mon, 01 Jan 2024 12:01:30 GMT"}}
    stub.add_response("head_object", {"LastModified": AT_NOON, "ResponseMetadata": told}, AT)
    assert objects.age(URI) == 90


def test_a_read_of_what_was_planned_says_so(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    for _ in range(2):
        body = StreamingBody(io.BytesIO(b"abcde"), 5)
        stub.add_response("get_object", {"Body": body}, {**AT, "IfMatch": "e"})
    assert objects.get(URI, etag="e") == b"abcde"
    assert [*objects.stream(URI, 2, etag="e")] == [b"ab", b"cd", b"e"]


def test_a_read_that_ends_early_is_tried_again(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    for read in (objects.get, lambda uri: [*objects.stream(uri)]):
        stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"abc"), 5)}, AT)
        with pytest.raises(ServiceUnavailable, match=f"S3 did not answer for {URI}"):
            read(URI)


def test_a_listing_goes_on_to_its_last_page(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3

    def page(*keys: str, **rest: Any) -> dict[str, Any]:
        return {"Contents": [{"Key": key, "Size": 1, "ETag": '"e"', "LastModified": AT_NOON} for key in keys], **rest}

    asked = {"Bucket": "lake", "Prefix": "a/", "StartAfter": "a/0"}
    stub.add_response("list_objects_v2", page("a/1", IsTruncated=True, NextContinuationToken="t"), asked)
    stub.add_response("list_objects_v2", page("a/2", IsTruncated=False), {**asked, "ContinuationToken": "t"})
    found = [*objects.list("s3://lake/a/", after="s3://lake/a/0")]
    assert found == [Object(uri=f"s3://lake/a/{n}", size=1, etag="e", modified=AT_NOON) for n in (1, 2)]


def test_a_listing_of_a_missing_bucket_is_no_empty_one(s3: tuple[Objects, Stubber]) -> None:
    objects, stub = s3
    stub.add_client_error("list_objects_v2", "NoSuchBucket", http_status_code=404)
    with pytest.raises(MissingInput, match="s3://lake/a/"):
        [*objects.list("s3://lake/a/")]


@pytest.mark.parametrize(
    "fault", [EndpointConnectionError(endpoint_url="http://s3"), IncompleteReadError(actual_bytes=1, expected_bytes=2)]
)
def test_a_broken_connection_is_tried_again(s3: tuple[Objects, Stubber], fault: Exception) -> None:
    objects, stub = s3
    stub.deactivate()

    def broken(**_: Any) -> None:
        raise fault

    vars(objects)["_client"].meta.events.register_first("before-parameter-build.s3.DeleteObject", broken)
    with pytest.raises(ServiceUnavailable, match=f"S3 did not answer for {URI}"):
        objects.delete(URI)
