"""`python -m sandbox.rancher`: serve on 127.0.0.1 until SIGTERM, which ends the clusters' pods too."""

import argparse
import logging
from pathlib import Path

import uvicorn

from sandbox.cluster.cluster import Cluster
from sandbox.rancher.api import Api
from sandbox.rancher.kubeconfig import identifier
from sandbox.rancher.members import Member
from sandbox.rancher.tokens import Tokens

NODE_PORTS = 10  # of each cluster


def _labels(text: str) -> tuple[str, dict[str, str]]:
    """`east:gpu=yes,site=a` is a cluster's name and labels."""
    name, _, labels = text.partition(":")
    return name, dict(each.split("=", 1) for each in labels.split(",") if each)


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.rancher", description="Stand-in for Rancher")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=Path, required=True, metavar="FILE", help="as for sandbox.cluster")
    parser.add_argument(
        "--node-ports", type=int, required=True, metavar="LO", help=f"the first; {NODE_PORTS} a cluster"
    )
    parser.add_argument("--cluster", type=_labels, action="append", required=True, metavar="NAME:LABEL=VALUE,...")
    parser.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="an API token, <id>:<secret>")
    parser.add_argument("--password-file", type=Path, required=True, metavar="FILE", help="of the user admin")
    parser.add_argument("--old", action="store_true", help="answer as before 2.12")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    members = []
    for place, (name, labels) in enumerate(options.cluster):
        low, folder = options.node_ports + place * NODE_PORTS, options.state / name
        folder.mkdir(exist_ok=True, mode=0o700)
        cluster = Cluster(
            state=folder,
            images=options.images.resolve(),
            node_ports=(low, low + NODE_PORTS - 1),
            token=None,  # nobody comes to it but through here
            keep_pods=False,
        )
        flag = options.state / f"{name}.state"
        members.append(Member(id=identifier(name), name=name, labels=labels, cluster=cluster, flag=flag))
    api = Api(
        members=members,
        tokens=Tokens(options.state / "tokens.json", options.token_file.read_text().strip()),
        password=options.password_file.read_text().strip(),
        url=f"http://127.0.0.1:{options.port}",
        old=options.old,
    )
    uvicorn.run(
        api,
        host="127.0.0.1",
        port=options.port,
        lifespan="on",
        access_log=False,
        timeout_graceful_shutdown=1,  # watches and followed logs never end by themselves
        ws="none",
    )


if __name__ == "__main__":
    main()
