"""Probes: httpGet, tcpSocket and exec, with thresholds and periods as the kubelet counts them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from sandbox.cluster import ports
from sandbox.cluster.status import Object

# "While a container is not Ready, the readiness probe may be executed at times other than the configured
# periodSeconds interval", says the API: this is that other time.
_IMPATIENT_SECONDS = 0.25


class ProbeError(Exception):
    """A probe or hook did not succeed; the message says why."""


async def http_get(port: int, handler: Object, timeout: float) -> None:
    """GET the path; 200 to 399 is success.

    Raises:
        ProbeError: anything else.
    """
    headers = {"Host": f"{ports.HOST}:{port}", "User-Agent": "kube-probe/1.32", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in handler.get("httpHeaders") or ()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    url = f"http://{ports.HOST}:{port}{handler['path']}"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(ports.HOST, port)
            try:
                writer.write(f"GET {handler['path']} HTTP/1.1\r\n{head}\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError) as error:  # the first line may be longer than a line may be
        raise ProbeError(f'Get "{url}": {str(error) or "timeout"}') from error
    parts = line.split()
    if len(parts) < 2 or not parts[1].isdigit():
        raise ProbeError(f'Get "{url}": not an HTTP answer')
    if not 200 <= int(parts[1]) < 400:
        raise ProbeError(f"HTTP probe failed with statuscode: {parts[1].decode()}")


async def tcp_connect(port: int, timeout: float) -> None:
    """Open a connection and close it.

    Raises:
        ProbeError: nobody accepts.
    """
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(ports.HOST, port)
            writer.close()
    except OSError as error:
        raise ProbeError(f"dial tcp {ports.HOST}:{port}: {str(error) or 'timeout'}") from error


async def execute(command: list[str], env: Mapping[str, str], cwd: str, timeout: float) -> None:
    """Run a command as the container would; exit code 0 is success.

    Raises:
        ProbeError: another exit code, no such command, or no end in time.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=dict(env), cwd=cwd, stdout=pipe, stderr=asyncio.subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise ProbeError(str(error)) from error
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise ProbeError(f"command {command} timed out after {timeout:g}s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode:
        raise ProbeError(output.decode(errors="replace").strip() or f"exit code {process.returncode}")


async def watch(
    probe: Object,
    attempt: Callable[[], Awaitable[None]],
    report: Callable[[bool, str], None],
    *,
    impatient: bool = False,
) -> None:
    """Probe for ever and report each time that a threshold is reached.

    Args:
        probe: period, delay and thresholds.
        attempt: one probe; whatever it raises, ProbeError above all, is a failure.
        report: takes success and message.
        impatient: probe oftener until the first success.
    """
    await asyncio.sleep(probe.get("initialDelaySeconds") or 0)
    failures = successes = 0
    ready = False
    while True:
        try:
            await attempt()
        except Exception as error:  # noqa: BLE001  one that ended the probing would leave the container as it is
            successes, failures = 0, failures + 1
            if failures % probe["failureThreshold"] == 0:
                ready = False
                report(False, str(error) or repr(error))
        else:
            failures, successes = 0, successes + 1
            if successes == probe["successThreshold"]:
                ready = True
                report(True, "")
        period = probe["periodSeconds"]
        await asyncio.sleep(min(period, _IMPATIENT_SECONDS) if impatient and not ready else period)
