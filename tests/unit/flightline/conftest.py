"""What hooks, operators and triggers are tested against: a bare Git repository, a server that answers from a script."""

import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.sdk import Connection

from flightline.hooks.grafana import GrafanaHook


@pytest.fixture
def gitops_origin(tmp_path, monkeypatch):
    """A bare repository with one commit on `main`, and the Connection `gitops` to it."""
    bare, work = tmp_path / "origin.git", tmp_path / "seed"
    for command in (
        ["init", "--quiet", "--bare", "--initial-branch=main", str(bare)],
        ["clone", "--quiet", str(bare), str(work)],
        ["-C", str(work), "checkout", "--quiet", "-B", "main"],
    ):
        subprocess.run(["git", *command], check=True, capture_output=True)
    (work / "README.md").write_text("hello\n")
    identity = ["-c", "user.name=seed", "-c", "user.email=seed@localhost"]
    subprocess.run(["git", "-C", str(work), "add", "."], check=True)
    subprocess.run(["git", "-C", str(work), *identity, "commit", "--quiet", "-m", "Begin"], check=True)
    subprocess.run(["git", "-C", str(work), "push", "--quiet", "origin", "main"], check=True)
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": bare.as_uri()}))
    return bare


class Scripted:
    """Answers `METHOD path` from its script, in order; the last answer of a script is given for ever."""

    def __init__(self):
        self.script = {}
        self.requests = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                is_json = "json" in self.headers.get("Content-Type", "json")
                read = json.loads(body) if body and is_json else body.decode()
                scripted.requests.append((self.command, path, query, read, dict(self.headers)))
                answers = scripted.script.get(f"{self.command} {path}", deque([(404, {"message": "no script"}, {})]))
                status, document, headers = answers[0] if len(answers) == 1 else answers.popleft()
                if status is None:  # hang, and hang up
                    time.sleep(document.get("seconds", 0))
                    self.close_connection = True
                    return
                raw = document.encode() if isinstance(document, str) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer  # noqa: N815

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def on(self, route, *answers):
        """Each answer is a document (200) or (status, document[, headers]); status None hangs up, after `seconds`."""
        whole = [answer if isinstance(answer, tuple) else (200, answer) for answer in answers]
        self.script[route] = deque((*answer, {})[:3] for answer in whole)

    def sent(self, route):
        """The requests of a route: (query, body, headers) each."""
        return [entry[2:] for entry in self.requests if f"{entry[0]} {entry[1]}" == route]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    """A scripted server that no Connection leads to yet."""
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def argo(monkeypatch, server):
    """A scripted server behind the Connection `argocd`, without pauses between retries."""
    connection = {
        "conn_type": "http",
        "host": "127.0.0.1",
        "schema": "http",
        "port": server.port,
        "password": "t0k3n",
    }
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps(connection))
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", lambda seconds: None)
    return server


@pytest.fixture
def grafana(monkeypatch) -> Iterator[list[dict]]:
    """The annotations of a server to which the Connection leads; it finds them by tag, as Grafana does."""
    kept: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = {*parse_qs(urlsplit(self.path).query)["tags"]}
            self._answer([each for each in kept if wanted <= {*each["tags"]}])

        def do_POST(self) -> None:
            kept.append({"id": len(kept) + 1, **json.loads(self.rfile.read(int(self.headers["content-length"])))})
            self._answer({"message": "Annotation added", "id": len(kept)})

        def _answer(self, body: object) -> None:
            authorized = self.headers["authorization"] == "Bearer token" and self.path.startswith("/api/annotations")
            self.send_response(200 if authorized else 401)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found = Connection(
            conn_id="grafana", conn_type="http", host="127.0.0.1", port=server.server_port, password="token"
        )
        monkeypatch.setattr(GrafanaHook, "get_connection", lambda *_: found)
        yield kept
        server.shutdown()
        thread.join()
