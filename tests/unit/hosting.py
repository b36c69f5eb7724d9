"""The stand-in for SageMaker in this process, with an image whose container echoes what it is asked."""

import json
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from sandbox.sagemaker.faults import Fault
from sandbox.sagemaker.server import Server

IMAGE = "app:1"
ROLE = "arn:aws:iam::123456789012:role/hosting"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
# `WHO` stands before each answer; the container "broken" does not come up.
SERVE = f"""#!{sys.executable} -S
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(422 if body == b'"bad"' else 200, os.environ["WHO"].encode() + body)
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)
if os.environ["WHO"] == "broken":
    raise SystemExit("no")
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


@contextmanager
def running(home):
    """It: `url`, and `fault` to order what is to go wrong."""
    (home / "bin").mkdir()
    (home / "bin/serve").write_text(SERVE)
    (home / "bin/serve").chmod(0o755)
    (home / "images.json").write_text(json.dumps({"app": {"path": str(home / "bin"), "workdir": str(home)}}))
    app = Server(state=home, images=home / "images.json", role={}, secrets={}, region="us-east-1")
    http = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()

    def fault(operation, **more):
        app._faults.order(Fault(operation, **more).__dict__)

    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{http.server_port}", fault=fault)
    finally:
        app.close()
        http.shutdown()
        thread.join()
        http.server_close()
