import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pyiceberg.exceptions import ServerError
from requests import ReadTimeout

from include.foundation.lake import catalog as module
from include.foundation.lake.catalog import ensure_namespace, open_catalog

HUNG = 0


class Restarting(ThreadingHTTPServer):
    """A REST catalog whose next answers are the given status codes, before it is well."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.troubles: list[int] = []
        self.asked: list[str] = []
        self.awake = threading.Event()


class Answer(BaseHTTPRequestHandler):
    server: Restarting

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        code = self.server.troubles.pop(0) if self.server.troubles else 200
        if code == HUNG:
            self.server.awake.wait(20)
            code = 200
        body = b'{"namespaces": [["silver"]], "defaults": {}, "overrides": {}, "namespace": ["silver"]}'
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 (http.server's name)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Restarting]:
    with Restarting() as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.awake.set()
        one.shutdown()


def rest(server: Restarting) -> dict[str, str]:
    return {"type": "rest", "uri": f"http://127.0.0.1:{server.server_port}", "warehouse": "w"}


def test_reads_of_a_catalog_that_has_just_come_up_are_repeated(server: Restarting) -> None:
    catalog = open_catalog("lake", rest(server))
    server.troubles, server.asked = [500, 503], []
    assert catalog.list_namespaces() == [("silver",)]
    assert server.asked == ["GET /v1/namespaces"] * 3


def test_what_changes_a_catalog_is_not_sent_twice(server: Restarting) -> None:
    catalog = open_catalog("lake", rest(server))
    server.troubles, server.asked = [500, 200], []
    with pytest.raises(ServerError):
        catalog.create_namespace("silver")
    assert server.asked == ["POST /v1/namespaces"]


def test_a_namespace_that_others_are_making_is_waited_for(server: Restarting) -> None:
    catalog = open_catalog("lake", rest(server))
    server.troubles, server.asked = [500, 500], []
    ensure_namespace(catalog, "silver")
    assert server.asked == ["POST /v1/namespaces"] * 3


def test_a_catalog_that_hangs_is_given_up(server: Restarting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", (1.0, 0.2))
    catalog = open_catalog("lake", rest(server))
    server.troubles, server.asked = [HUNG, 200], []
    assert catalog.list_namespaces() == [("silver",)], "a read is asked once more"
    server.troubles, server.asked = [HUNG], []
    with pytest.raises(ReadTimeout):
        catalog.create_namespace("silver")
    assert server.asked == ["POST /v1/namespaces"], "what changes it is not"
