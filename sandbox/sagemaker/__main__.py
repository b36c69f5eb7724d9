"""`python -m sandbox.sagemaker`: serve on 127.0.0.1 until SIGTERM."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import run_simple

from sandbox.sagemaker.server import Server


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.sagemaker", description="Stand-in for SageMaker")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=Path, required=True, metavar="FILE", help="as of the sandbox's cluster")
    parser.add_argument("--role", type=Path, required=True, metavar="FILE", help="JSON: variables of every container")
    parser.add_argument("--secrets", type=Path, metavar="FILE", help="JSON: name of a secret to its variables")
    parser.add_argument("--region", default="us-east-1")
    arguments = parser.parse_args()
    os.umask(0o077)
    arguments.state.mkdir(parents=True, exist_ok=True)
    own = f"http://127.0.0.1:{arguments.port}"
    server = Server(
        state=arguments.state,
        images=arguments.images,
        role={**json.loads(arguments.role.read_text()), "AWS_ENDPOINT_URL_SECRETS_MANAGER": own},
        secrets=json.loads(arguments.secrets.read_text()) if arguments.secrets else {},
        region=arguments.region,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        run_simple("127.0.0.1", arguments.port, server, threaded=True, request_handler=MotoRequestHandler)
    finally:
        server.close()


if __name__ == "__main__":
    main()
