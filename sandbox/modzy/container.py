"""Containers: an image's bundle is pulled out of the object store, its process started and asked by gRPC."""

import io
import json
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import grpc

from include.foundation.errors import FlightlineError
from include.foundation.lake import S3, Objects
from include.services.serving.messages import METHODS, SERVICE
from sandbox.cluster.images import repository, version
from sandbox.cluster.ports import HOST, free_port
from sandbox.modzy.errors import ModzyError

START_SECONDS, RUN_SECONDS, END_SECONDS = 90, 60, 20


class Registry:
    """Where images come from.

    Args:
        images: JSON, `{"<repository>": {"path": folder of the environment's programs, "bundles": URI}}`, read anew for
            each image; a tag is the name of an archive there.
        folder: where bundles are unpacked.
    """

    def __init__(self, images: Path, folder: Path) -> None:
        self._images, self._folder = images, folder

    def pull(self, reference: str) -> "Image":
        """The unpacked image.

        Raises:
            ModzyError: 422, there is none.
        """
        entry, tag = json.loads(self._images.read_text()).get(repository(reference), {}), version(reference)
        if "bundles" not in entry or not tag:
            raise ModzyError(422, f"failed to pull image {reference}: not found")
        place = self._folder / tag
        if not place.is_dir():
            try:
                data = Objects(S3.from_env(os.environ)).get(f"{entry['bundles']}/{tag}.tar.gz")
            except FlightlineError as error:
                raise ModzyError(422, f"failed to pull image {reference}: {error}") from error
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(place, filter="data")
        return Image(place / "bundle", str(entry["path"]))


class Image:
    """An unpacked bundle, and the folder of the environment's programs."""

    def __init__(self, folder: Path, path: str) -> None:
        self.folder, self.path = folder, path


class Container:
    """A running image. Safe to use from several threads; they take turns.

    Args:
        image: what runs.
        log: where its output goes.
    """

    def __init__(self, image: Image, log: Path) -> None:
        self._image, self._log = image, log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def run(self, name: str, data: bytes) -> tuple[bool, dict[str, bytes]]:
        """Whether an item was answered, and its outputs; starts the process where it does not run."""
        with self._lock:
            self._start()
            request = METHODS["Run"][0](inputs=[{"input": {name: data}}])
            answer = self._ask("Run", request, RUN_SECONDS)
        if answer.status_code != 200 or len(answer.outputs) != 1:
            return False, {"error": answer.message.encode()}
        (output,) = answer.outputs
        return output.success, dict(output.output)

    def stop(self) -> None:
        """Ask it to shut down; kill it if it does not."""
        with self._lock:
            if self._process is None:
                return
            try:
                if self.running:
                    self._ask("Shutdown", METHODS["Shutdown"][0](), RUN_SECONDS)
                self._process.wait(END_SECONDS)
            except (grpc.RpcError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
            if self._channel:
                self._channel.close()
            self._process = self._channel = None

    def _start(self) -> None:
        if self.running:
            return
        port = free_port()
        env = {
            "PATH": f"{self._image.path}:/usr/bin:/bin",
            "HOST": HOST,
            "PORT": str(free_port()),
            "PSC_MODEL_PORT": str(port),
            "FLIGHTLINE_DRAIN_SECONDS": "0",
        }
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(
                [str(self._image.folder / "run"), "serve"], env=env, stdout=log, stderr=subprocess.STDOUT
            )
        self._channel = grpc.insecure_channel(f"{HOST}:{port}")
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None:
                raise ModzyError(500, f"the container ended with {process.returncode}: {self._last_words()}")
            try:
                status = self._ask("Status", METHODS["Status"][0](), START_SECONDS)
            except grpc.RpcError as error:
                if time.monotonic() > deadline:
                    raise ModzyError(500, f"the container does not answer: {error.code()}") from error
                time.sleep(0.1)
            else:
                if status.status_code != 200:
                    raise ModzyError(500, f"the container is not ready: {status.message}")
                return

    def _ask(self, method: str, request: Any, seconds: float) -> Any:
        if self._channel is None:
            raise ModzyError(500, "the container does not run")
        call = self._channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=METHODS[method][1].FromString,
        )
        return call(request, timeout=seconds)

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-300:]
