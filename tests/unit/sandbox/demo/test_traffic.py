"""Clients that ask all the time, against a real HTTP server."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.demo.traffic import Traffic


class Endpoint(BaseHTTPRequestHandler):
    """Answers record 1 with version 7, all others with 503."""

    def do_POST(self):
        record = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["records"][0]
        self.send_response(200 if record == 1 else 503)
        body = json.dumps([{"model": {"version": "7"}}]).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def until(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_answers_are_counted_by_version_and_failures_by_what_came(url):
    with Traffic(url, "toy", [1, 2]) as traffic:
        until(lambda: traffic.versions["7"] and traffic.failed["503"])
    asked = traffic.versions.total() + traffic.failed.total()
    assert str(traffic).endswith(f"({traffic.versions['7']} by version 7), {traffic.failed['503']} failed")
    time.sleep(0.3)
    assert traffic.versions.total() + traffic.failed.total() == asked, "nobody asks after the end"


def test_an_endpoint_that_is_not_there_counts_as_failed():
    with Traffic("http://127.0.0.1:1", "toy", [1]) as traffic:
        until(lambda: traffic.failed)
    assert set(traffic.failed) == {"ConnectError"}
    assert not traffic.versions
