"""A schema registry that registers and tells schemas. Left out: deletes, compatibility, modes, contexts, and any store.

Confluent's REST interface (https://docs.confluent.io/platform/current/schema-registry/develop/api.html):
`POST /subjects/{subject}/versions`, `GET /subjects/{subject}/versions/{version or latest}`, `GET /schemas/ids/{id}`.
One schema has one id, whatever the subject. It takes any text for a schema.

    python -m sandbox.stream.schema_registry --port 8081
"""

from __future__ import annotations

import argparse
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

HOST = "127.0.0.1"
SCHEMA, SUBJECT = re.compile(r"/schemas/ids/(\d+)"), re.compile(r"/subjects/([^/]+)/versions(?:/(latest|\d+))?")
Answer = tuple[int, dict[str, Any]]


class Registry(ThreadingHTTPServer):
    """The registry, on a port of the loopback address.

    Args:
        port: 0 for one that is free.
        authorization: what the header of that name has to be; None: nobody is asked.
        tls: what makes it speak HTTPS.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, *, authorization: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        super().__init__((HOST, port), _Handler)
        self.authorization, self.asked = authorization, list[str]()
        self._schemas: list[dict[str, Any]] = []
        self._subjects: dict[str, list[int]] = {}
        self._lock = threading.Lock()
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://{HOST}:{self.server_port}"

    @contextmanager
    def running(self) -> Iterator[Registry]:
        """Let it answer while the block lasts."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()

    def register(self, subject: str, said: dict[str, Any]) -> Answer:
        """A schema as a version of a subject: `schema`, and `schemaType` and `references` where it has any."""
        if not isinstance(said.get("schema"), str):
            return 422, {"error_code": 42201, "message": "Empty schema"}
        kept = {name: said[name] for name in ("schema", "schemaType", "references") if said.get(name)}
        if kept.get("schemaType") == "AVRO":  # which it does not tell
            del kept["schemaType"]
        with self._lock:
            if kept not in self._schemas:
                self._schemas.append(kept)
            number = self._schemas.index(kept) + 1
            versions = self._subjects.setdefault(subject, [])
            if number not in versions:
                versions.append(number)
        return 200, {"id": number}

    def schema(self, number: int) -> Answer:
        """The schema with an id."""
        if not 0 < number <= len(self._schemas):
            return 404, {"error_code": 40403, "message": f"Schema {number} not found"}
        return 200, self._schemas[number - 1]

    def version(self, subject: str, wanted: str) -> Answer:
        """A version of a subject."""
        versions = self._subjects.get(subject)
        if versions is None:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        version = len(versions) if wanted == "latest" else int(wanted)
        if not 0 < version <= len(versions):
            return 404, {"error_code": 40402, "message": f"Version {wanted} not found."}
        number = versions[version - 1]
        return 200, {"subject": subject, "id": number, "version": version, **self._schemas[number - 1]}


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Tell a schema."""
        if match := SCHEMA.fullmatch(self.path):
            self._answer(self.server.schema(int(match[1])))
        elif (match := SUBJECT.fullmatch(self.path)) and match[2]:
            self._answer(self.server.version(unquote(match[1]), match[2]))
        else:
            self._answer((404, {"error_code": 404, "message": "HTTP 404 Not Found"}))

    def do_POST(self) -> None:
        """Register one."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match = SUBJECT.fullmatch(self.path)
        if not match or match[2]:
            self._answer((404, {"error_code": 404, "message": "HTTP 404 Not Found"}))
            return
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        self._answer(self.server.register(unquote(match[1]), said if isinstance(said, dict) else {}))

    def _answer(self, answer: Answer) -> None:
        self.server.asked.append(self.path)
        wanted = self.server.authorization
        if wanted and self.headers.get("Authorization") != wanted:
            answer = (401, {"error_code": 401, "message": "Unauthorized"})
        body = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Answer until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8081)
    Registry(parser.parse_args().port).serve_forever()


if __name__ == "__main__":
    main()
