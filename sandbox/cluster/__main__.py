"""`python -m sandbox.cluster`: run the cluster until SIGTERM, which also stops the pods unless they are to be kept."""

import argparse
import fcntl
import logging
import os
import secrets
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn

from sandbox.cluster.cluster import Cluster

_KUBECONFIG = """\
# kubectl sends a token only over TLS, and prints the server's URL: its context `kubectl` gives the token to a proxy,
# which is the server itself.
apiVersion: v1
kind: Config
current-context: sandbox
clusters:
- {{name: sandbox, cluster: {{server: "http://127.0.0.1:{port}"}}}}
- name: kubectl
  cluster: {{server: "http://127.0.0.1:{port}", proxy-url: "http://sandbox:{token}@127.0.0.1:{port}"}}
users:
- {{name: sandbox, user: {{token: "{token}"}}}}
contexts:
- {{name: sandbox, context: {{cluster: sandbox, user: sandbox}}}}
- {{name: kubectl, context: {{cluster: kubectl, user: sandbox}}}}
"""


def _ports(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdigit() and high.isdigit() and 0 < int(low) <= int(high) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 30000-30099")
    return int(low), int(high)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.cluster", description="A process-backed Kubernetes cluster."
    )
    parser.add_argument("--port", type=int, required=True, help="port of the API on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="directory for objects, logs and the kubeconfig")
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        help='JSON: {"<repository>": {"path", "workdir", "env", "entrypoint", "cmd", "code"}}; read at every pod start',
    )
    parser.add_argument(
        "--node-ports", type=_ports, required=True, metavar="LO-HI", help="ports that Services may take"
    )
    parser.add_argument("--gateway", type=Path, help="folder that Traefik reads; without it there is no Gateway API")
    parser.add_argument("--token-file", type=Path, help="holds the token that clients must send; made when absent")
    parser.add_argument(
        "--keep-pods", action="store_true", help="on SIGTERM leave the pods for the next start to adopt"
    )
    return parser.parse_args()


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        token = path.read_text().strip()
        if not token:
            sys.exit(f"{path} is empty: write a token into it, or remove it to have one made")
        return token
    with os.fdopen(descriptor, "w") as file:
        file.write(token := secrets.token_urlsafe(32))
    return token


def _listen(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is spelled out; without it every answer waits 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        remedy = "stop what listens there or choose another --port"
        sys.exit(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): {remedy}")
    return listener


def main() -> None:
    """Lock the state directory, listen, serve."""
    options = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    state: Path = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another cluster works on {state}: stop it or choose another --state")
    token, listener = _token(options.token_file), _listen(options.port)
    kubeconfig = state / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(_KUBECONFIG.format(port=listener.getsockname()[1], token=token or "none"))
    try:
        cluster = Cluster(
            state=state,
            images=options.images.resolve(),
            node_ports=options.node_ports,
            token=token,
            keep_pods=options.keep_pods,
            gateway=options.gateway,
        )
    except sqlite3.Error as error:
        sys.exit(f"the objects in {state} cannot be read ({error}): make room or remove {state} to begin anew")
    config = uvicorn.Config(
        cluster,
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,  # watches and followed logs never end by themselves
        timeout_keep_alive=75,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
