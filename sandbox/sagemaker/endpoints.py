"""One endpoint: the image of its model, run by SageMaker's hosting contract, and what `DescribeEndpoint` tells."""

import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from sandbox.cluster.images import Images, UnknownImageError
from sandbox.sagemaker import containers
from sandbox.sagemaker.faults import Fault
from sandbox.supervisor.service import free_ports

GRACE_SECONDS = 30  # between SIGTERM and SIGKILL
PING_SECONDS = 2  # in which a container must answer a ping
START_SECONDS = 480  # in which it must answer the first, where the configuration says nothing
SERVE = "include/services/serving/serve.sh"  # what the image has as `serve` on its PATH


class NotUpError(Exception):
    """A container did not come up; says why, as FailureReason does."""


class Container:
    """A model's image with its data, ready to answer.

    Args:
        model: of `CreateModel`.
        variant: of the endpoint's configuration.
        place: its folder.
        images: which environments stand for images.
        role: variables that its role and network give, where it has a network.
        say: takes each line of the log.
        run: starts a program of an image (`containers.start`).

    Raises:
        NotUpError: it does not answer pings.
    """

    def __init__(
        self,
        model: Mapping[str, Any],
        variant: Mapping[str, Any],
        *,
        place: Path,
        images: Images,
        role: Mapping[str, str],
        say: Callable[[str], None],
        run: Callable[..., "subprocess.Popen[str]"] = containers.start,
    ) -> None:
        self._place, asked = place, model["PrimaryContainer"]
        (port,) = free_ports(1)
        self._url, self._name = f"http://127.0.0.1:{port}", variant["VariantName"]
        try:
            image = images.find(asked["Image"])
        except UnknownImageError as error:
            raise NotUpError(f"Failed to pull image for production variant {self._name}: {error}") from error
        _unpack(role, asked.get("ModelDataUrl"), place / "ml/model")
        variables = {
            **({} if model.get("EnableNetworkIsolation") else role),
            **asked.get("Environment", {}),
            "SAGEMAKER_BASE_DIR": str(place / "ml"),
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "HOST": "127.0.0.1",
        }
        own = Path(image.workdir) / SERVE
        program = ["sh", str(own)] if own.exists() else ["serve"]
        self._process = run(image, [*image.entrypoint, *program], variables)
        threading.Thread(target=self._tell, args=(say,), daemon=True).start()
        self._await_ping(variant.get("ContainerStartupHealthCheckTimeoutInSeconds", START_SECONDS))

    def ask(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        """Status, body and media type of `POST /invocations`."""
        try:
            answer = requests.post(f"{self._url}/invocations", body, headers=headers, timeout=60)
        except requests.RequestException as error:
            return 500, str(error).encode(), "text/plain"
        return answer.status_code, answer.content, answer.headers.get("Content-Type", "")

    def end(self) -> None:
        """As SageMaker ends one."""
        containers.end(self._process, grace_seconds=GRACE_SECONDS)
        threading.Thread(target=self._clear, daemon=True).start()

    def _clear(self) -> None:
        self._process.wait()
        shutil.rmtree(self._place, ignore_errors=True)

    def _tell(self, say: Callable[[str], None]) -> None:
        for line in self._process.stdout or ():
            say(line.rstrip("\n"))

    def _await_ping(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(f"{self._url}/ping", timeout=PING_SECONDS).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        containers.kill(self._process)
        raise NotUpError(
            f"The primary container for production variant {self._name} did not pass the ping health check. Please "
            "check CloudWatch logs for this endpoint."
        )


class Endpoint:
    """What `DescribeEndpoint` tells, and the container that answers. moto reads the attributes of its list.

    Args:
        name: the endpoint's.
        arn: the endpoint's.
        tags: of `CreateEndpoint`.
        start: makes the container of a configuration, or raises NotUpError.
    """

    def __init__(self, name: str, *, arn: str, tags: list[dict[str, str]], start: Callable[[str], Container]) -> None:
        self.endpoint_name, self.arn, self.tags, self._start = name, arn, tags, start
        self.creation_time = self.last_modified_time = datetime.now(UTC)
        self.endpoint_status, self.config, self.wanted, self.reason = "Creating", "", "", ""
        self.container: Container | None = None
        self._lock = threading.RLock()

    @property
    def response_object(self) -> dict[str, Any]:
        """The answer of `DescribeEndpoint`."""
        with self._lock:
            answer = {
                "EndpointName": self.endpoint_name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.config or self.wanted,
                "EndpointStatus": self.endpoint_status,
                "FailureReason": self.reason or None,
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
            }
        return {key: value for key, value in answer.items() if value is not None}

    def uses(self, config: str) -> bool:
        """Whether it serves the configuration, or is about to."""
        with self._lock:
            moving = self.endpoint_status in ("Creating", "Updating")
            return self.endpoint_status != "Deleting" and (config == self.config or (moving and config == self.wanted))

    def summary(self) -> dict[str, Any]:
        """Its entry of `ListEndpoints`."""
        shown = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        return {key: self.response_object[key] for key in shown}

    def order(self, config: str, status: str, fault: Fault | None) -> None:
        """Serve another configuration, once it answers."""
        with self._lock:
            self.wanted, self.reason = config, ""
            self._turn(status)
        threading.Thread(target=self._bring, args=(config, fault), daemon=True).start()

    def end(self, gone: Callable[[], None]) -> None:
        """Delete it: `gone` is called once it is."""
        self._turn("Deleting")

        def work() -> None:
            if self.container:
                self.container.end()
            gone()

        threading.Thread(target=work, daemon=True).start()

    def _bring(self, config: str, fault: Fault | None) -> None:
        try:
            if fault:
                raise NotUpError(fault.message)
            new = self._start(config)
        except Exception as error:  # noqa: BLE001 (an endpoint must settle, whatever happened)
            with self._lock:
                self.reason = str(error)
                if fault and fault.code != "Failed":
                    self._turn(fault.code)
                elif self.container is None:
                    self._turn("Failed")
                else:
                    self._turn("InService")  # it goes back to what served
            return
        with self._lock:
            before, self.container = self.container, new
            if self.endpoint_status == "Deleting":
                new.end()
                return
            self.config = config
            self._turn("InService")
        if before:
            before.end()

    def _turn(self, status: str) -> None:
        with self._lock:
            self.endpoint_status, self.last_modified_time = status, datetime.now(UTC)


def _unpack(role: Mapping[str, str], uri: str | None, folder: Path) -> None:
    """`ModelDataUrl`: one .tar.gz, whose files are the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not uri:
        return
    containers.download(role, uri, folder.parent)
    archive = folder.parent / uri.rpartition("/")[2]
    try:
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise NotUpError(f"Failed to download model data from {uri}: {error}") from error
    archive.unlink()
