"""SeaweedFS on 127.0.0.1: S3 and an Iceberg REST catalog in one process, with their data in one folder.

Each of its servers listens on a second port too, for gRPC. That one asks for no key, so any program of this machine may
reach it; the HTTP ports that a web page could reach ask for keys or answer nothing.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, SandboxError, Service, answers, python

BUCKETS = ("landing", "models", "mlflow")
CATALOG = "lake"  # a table bucket is a catalog
REGION = "us-east-1"
PORTS = ("s3", "catalog", "master", "filer", "volume", "admin")
GRPC = 10_000  # added to a port: where the same server speaks gRPC
_WITHOUT_GRPC = {"catalog"}
_SIGNED = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
# It gives back what it has freed when it nears this; without a limit it holds twice what it needs. What it needs is
# 233 MiB from its start: with a limit of 256 it collected garbage all the time, and took four times the processor time.
_MEMORY = "384MiB"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A name for people, the two halves of an S3 key, and what it may do, in SeaweedFS's words."""

    name: str
    access: str
    secret: str = field(repr=False)
    actions: tuple[str, ...] = ("Admin", "Read", "Write", "List", "Tagging")

    @classmethod
    def of_team(cls, use_case: str, *, access: str, secret: str, catalog: str) -> "Key":
        """A team's key: the landing and model files of its use case and the tables of its own catalog, nothing else."""
        prefixes = (f"landing/{use_case}/*", f"models/{use_case}/*", catalog)
        actions = (f"{verb}:{prefix}" for prefix in prefixes for verb in ("Read", "Write", "List"))
        return cls(name=use_case, access=access, secret=secret, actions=(*actions, f"s3tables:*:{catalog}"))


def service(
    home: Path,
    *,
    ports: Mapping[str, int],
    admin: Key,
    signing_key: str,
    others: Sequence[Key] = (),
    catalogs: Sequence[str] = (CATALOG,),
) -> Service:
    """SeaweedFS with its data in `home/seaweedfs`.

    Args:
        home: the directory of all state.
        ports: one for each of `PORTS`.
        admin: the key that may do everything.
        signing_key: with which its servers sign what they ask of each other.
        others: further keys.
        catalogs: names of the catalogs to make.
    """
    data, keys = home / "seaweedfs", home / "seaweedfs.keys.json"
    urls = {name: f"http://127.0.0.1:{ports[name]}" for name in ("s3", "catalog")}

    def prepare() -> None:
        data.mkdir(mode=0o700, exist_ok=True)
        (data / "mini.options").unlink(missing_ok=True)  # it would take up the options of its last start
        write(keys, json.dumps({"identities": [_identity(key) for key in (admin, *others)]}))

    return Service(
        name="seaweedfs",
        command=(str(python("sandbox").parent / "weed"), "mini", *_options(ports, data=data, keys=keys)),
        env={
            "HOME": str(data),  # a user's own ~/.seaweedfs is not meant for this one
            "GOMEMLIMIT": _MEMORY,
            **{f"WEED_JWT_{name}_KEY": signing_key for name in _SIGNED},
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "2",  # files that a new bucket is spread over: 7 is for many disks
        },
        url=urls["s3"],
        ports=(*ports.values(), *(port + GRPC for name, port in ports.items() if name not in _WITHOUT_GRPC)),
        prepare=prepare,
        ready=lambda since: answers(f"{urls['s3']}/healthz", since) and answers(f"{urls['catalog']}/v1/config", since),
        bootstrap=partial(_make_buckets, urls["s3"], admin, catalogs),
    )


def catalog(url: str, key: Key, *, name: str = CATALOG) -> dict[str, str]:
    """Properties of a pyiceberg catalog, but for how to reach S3."""
    return {
        "type": "rest",
        "uri": url,
        "warehouse": f"s3://{name}",
        "oauth2-server-uri": f"{url}/v1/oauth/tokens",
        "credential": f"{key.access}:{key.secret}",
    }


def _options(ports: Mapping[str, int], *, data: Path, keys: Path) -> list[str]:
    options = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "disableHttp": "true",  # of the master and the filer, which let anybody delete
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 256,
        "volume.max": 1000,
        "volume.preStopSeconds": 0,
        "admin.ui": "false",
        "webdav": "false",
        "s3.port.lance": 0,
        "s3.config": keys,
        "s3.port.iceberg": ports["catalog"],
        **{f"{name}.port": port for name, port in ports.items() if name != "catalog"},
    }
    return [f"-{name}={value}" for name, value in options.items()]


def _identity(key: Key) -> dict[str, object]:
    credentials = [{"accessKey": key.access, "secretKey": key.secret}]
    return {"name": key.name, "credentials": credentials, "actions": list(key.actions)}


def _make_buckets(url: str, admin: Key, catalogs: Sequence[str]) -> None:
    env = {
        "PYTHONPATH": str(REPO),
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": admin.access,
        "AWS_SECRET_ACCESS_KEY": admin.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = (str(python("sandbox")), "-m", "sandbox.lake.buckets", *BUCKETS, "--catalogs", *catalogs)
    done = subprocess.run(command, cwd=REPO, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"SeaweedFS did not take its buckets: {done.stderr.strip()[-500:]}")
