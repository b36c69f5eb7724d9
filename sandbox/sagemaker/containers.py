"""Containers as processes of this machine, and the object store that they find."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3

from sandbox.cluster.images import Image


def start(image: Image, words: Sequence[str], variables: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Run a program of an image; its output is one stream of lines."""
    env = {
        **{key: value for key, value in os.environ.items() if key in ("HOME", "LANG", "TMPDIR")},
        **image.env,
        **variables,
        "PATH": f"{image.path}:/usr/local/bin:/usr/bin:/bin",
    }
    return subprocess.Popen(
        [shutil.which(words[0], path=env["PATH"]) or words[0], *words[1:]],
        cwd=image.workdir,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def end(process: "subprocess.Popen[str]", *, grace_seconds: float) -> None:
    """SIGTERM now, SIGKILL if it is still there after the grace."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        later = threading.Timer(grace_seconds, kill, (process,))
        later.daemon = True
        later.start()


def kill(process: "subprocess.Popen[str] | None") -> None:
    """End its processes now."""
    if process and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def s3(role: Mapping[str, str]) -> Any:
    """The object store, by the credentials that a role gives."""
    return boto3.client(
        "s3",
        endpoint_url=role.get("AWS_ENDPOINT_URL"),
        region_name=role.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=role.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=role.get("AWS_SECRET_ACCESS_KEY"),
    )


def download(role: Mapping[str, str], uri: str, folder: Path) -> None:
    """All that lies under a URI."""
    folder.mkdir(parents=True, exist_ok=True)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    store = s3(role)
    for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            name = found["Key"].removeprefix(prefix).lstrip("/") or Path(found["Key"]).name
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download_file(bucket, found["Key"], str(target))
