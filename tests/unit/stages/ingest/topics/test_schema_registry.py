"""A registry is asked as its REST interface says; what it says is told from what is only in the way."""

import base64
import http.server
import threading
from contextlib import contextmanager

import pytest

from include.foundation.errors import AccessRefused, InvalidInput, PermanentError, ServiceUnavailable
from include.stages.ingest.topics.schema_registry import SchemaRegistry
from sandbox.stream.schema_registry import Registry
from sandbox.supervisor.service import free_ports

SCHEMA = '{"type": "record", "name": "r", "fields": []}'


def test_schemas_are_found_by_id_and_by_version_and_what_is_not_there_is_none():
    with Registry().running() as there:
        there.register("a/b", {"schema": '"string"'})
        there.register("a/b", {"schema": SCHEMA, "schemaType": "AVRO"})
        known = SchemaRegistry({"url": there.url + "/"})
        assert known.by_id(2) == {"schema": SCHEMA}
        assert known.by_version("a/b", 2) == {"subject": "a/b", "id": 2, "version": 2, "schema": SCHEMA}
        assert (known.by_id(3), known.by_version("a/b", 3), known.by_version("c", 1)) == (None, None, None)


@pytest.mark.parametrize(
    ("header", "given", "wrong"),
    [
        (
            "Basic " + base64.b64encode(b"me:se:cret").decode(),
            {"basic.auth.user.info": "me:se:cret"},
            {"basic.auth.user.info": "me:guessed"},
        ),
        ("Bearer secret", {"bearer.auth.token": "secret"}, {"bearer.auth.token": "guessed"}),
    ],
)
def test_credentials_are_shown_and_wrong_ones_are_named_not_told(header, given, wrong):
    with Registry(authorization=header).running() as there:
        there.register("s", {"schema": SCHEMA})
        assert SchemaRegistry({"url": there.url, **given}).by_id(1) == {"schema": SCHEMA}
        for refused in (wrong, {}):
            with pytest.raises(AccessRefused, match=r"mend `schema.registry.basic.auth.user.info`") as error:
                SchemaRegistry({"url": there.url, **refused}).by_id(1)
            assert "guessed" not in str(error.value)


def test_one_that_does_not_answer_may_answer_later_and_the_next_address_is_asked():
    (port,) = free_ports(1)
    down = f"http://127.0.0.1:{port}"
    with pytest.raises(ServiceUnavailable, match="the schema registry does not answer"):
        SchemaRegistry({"url": down}).by_id(1)
    with Registry().running() as there:
        there.register("s", {"schema": SCHEMA})
        assert SchemaRegistry({"url": f"{down}, {there.url}"}).by_id(1) == {"schema": SCHEMA}


@contextmanager
def answering(status, body):
    """Some other program."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, b"", ServiceUnavailable),
        (429, b"{}", ServiceUnavailable),
        (500, b'{"error_code": 50001, "message": "store"}', ServiceUnavailable),
        (404, b"<html>", PermanentError),
        (404, b'{"error_code": 404}', PermanentError),
        (200, b"<html>", PermanentError),
        (200, b"[]", PermanentError),
        (302, b"", PermanentError),
    ],
)
def test_another_program_is_not_taken_for_one_that_lacks_the_schema(status, body, error):
    with answering(status, body) as url, pytest.raises(error, match=f"answers {status} to 127.0.0.1") as raised:
        SchemaRegistry({"url": url}).by_id(1)
    assert not isinstance(raised.value, InvalidInput)  # which would be one message's fault


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"ssl.ca": "x"}, InvalidInput, "its extra has schema.registry.ssl.ca; there are url"),
        ({}, PermanentError, "lacks `schema.registry.url`"),
        ({"url": "file:///x"}, PermanentError, "is no URL"),
        ({"url": "https://x", "ssl.ca.location": "/not/there"}, PermanentError, "schema.registry.ssl"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        SchemaRegistry(settings).by_id(1)


def test_it_is_asked_over_tls_with_the_authority_of_the_settings_alone(certificate):
    context, authority = certificate
    with Registry(tls=context).running() as there:
        there.register("s", {"schema": SCHEMA})
        assert SchemaRegistry({"url": there.url, "ssl.ca.location": authority}).by_id(1) == {"schema": SCHEMA}
        with pytest.raises(PermanentError, match=r"mend `schema.registry.ssl.ca.location`"):
            SchemaRegistry({"url": there.url}).by_id(1)
