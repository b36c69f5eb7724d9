"""Serving against `mlflow models serve`: the same model, the same client, one server after the other in the same run.

Both are asked for single rows of encoded features, over kept-alive connections: all that MLflow's server can take. Ours
is also asked for plain records, for which it reads history and computes features; and for the same again with its
prediction log on, to a real broker, the two in turns. Run by `make bench`; the caller is
this file too, in a process of its own. CPU a request is what a busy machine disturbs least.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import polars as pl
import uvloop
from confluent_kafka.admin import AdminClient, NewTopic

from include.foundation import spec
from include.foundation.artifact import Metadata, store
from include.foundation.artifact.model_file import digest
from include.foundation.artifact.writer import seal
from include.foundation.history import table
from include.foundation.lake import S3, Objects
from include.models.boosting.export import export
from include.services.serving.records import example
from sandbox.database import postgres
from sandbox.lake import seaweedfs
from sandbox.stream import tansu
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

USE_CASE = "flight_delays"
ROWS, TREES = 20_000, 200
SECONDS, CONNECTIONS = 6, (1, 8)
ROUNDS = 3  # of the log's cost


class Measured(NamedTuple):
    """One server under one load."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


class _Caller(asyncio.Protocol):
    """Sends one request after the other over one connection and notes how long each answer took."""

    def __init__(self, request: bytes, took: list[float], failed: list[bytes], until: float) -> None:
        self._request, self._took, self._failed, self._until = request, took, failed, until
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._answer = b""
        self._start = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < int(length.split(b":")[1]):
            return
        now = time.perf_counter()
        self._took.append(now - self._start)
        if not head.startswith(b"HTTP/1.1 200"):
            self._failed.append(self._answer)
        if now < self._until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))


async def _load(port: int, path: str, body: bytes, connections: int, seconds: float) -> Measured:
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    took: list[float] = []
    failed: list[bytes] = []
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(request, took, failed, start + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.done for caller in callers))
    if failed:
        print(failed[0].decode(errors="replace"), file=sys.stderr)
    elapsed = time.perf_counter() - start
    p50, p99 = np.percentile(np.array(took) * 1000, [50, 99])
    return Measured(len(took) / elapsed, float(p50), float(p99), len(failed))


def load(port: int, path: str, body: Any, *, connections: int, seconds: float) -> Measured:
    """Ask a server as fast as it answers, from a process of its own, after a warm-up."""
    command = [sys.executable, __file__, "--load", str(port), path, str(connections), str(seconds)]
    done = subprocess.run(command, input=json.dumps(body).encode(), stdout=subprocess.PIPE, check=True)
    return Measured(*json.loads(done.stdout))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants."""
    total, pids = 0, [pid]
    for each in pids:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    return total / os.sysconf("SC_CLK_TCK")


def train(matrix: np.ndarray) -> Any:
    """A LightGBM model of the size that the use case trains, of random rows."""
    import lightgbm

    label = np.nan_to_num(matrix[:, 0]) + np.random.default_rng(1).normal(size=len(matrix)) > 0
    parameters = {"objective": "binary", "num_leaves": 63, "verbosity": -1, "num_threads": 2}
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, label), TREES)


def metrics(port: int) -> list[str]:
    """Lines of a server's exposition."""
    return httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()


def ask(name: str, pid: int, port: int, path: str, body: Any) -> dict[int, tuple[Measured, float]]:
    """Measure one endpoint: connections -> (what the caller saw, CPU milliseconds a request)."""
    load(port, path, body, connections=4, seconds=1)
    found = {}
    for connections in CONNECTIONS:
        before, start = cpu_seconds(pid), time.perf_counter()
        measured = load(port, path, body, connections=connections, seconds=SECONDS)
        elapsed = time.perf_counter() - start
        cost = (cpu_seconds(pid) - before) / (measured.per_second * min(elapsed, SECONDS)) * 1000
        found[connections] = measured, cost
        print(
            f"{name:28} {connections:2} connections {measured.per_second:8.0f}/s  p50 {measured.p50_ms:7.2f} ms"
            f"  p99 {measured.p99_ms:7.2f} ms  {cost:6.2f} ms CPU a request  {measured.failed} failed"
        )
    return found


def mlflow_server(home: Path, booster: Any) -> Service:
    """`mlflow models serve` with the booster in its own flavour."""
    import mlflow.lightgbm

    mlflow.lightgbm.save_model(booster, home / "mlflow-model")
    (port,) = free_ports(1)
    command = ("-m", "mlflow", "models", "serve", "--model-uri", str(home / "mlflow-model"), "--env-manager", "local")
    return Service(
        name="mlflow",
        command=(str(python("dev")), *command, "--host", "127.0.0.1", "--port", str(port)),
        env={"PATH": f"{python('dev').parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"},
        ports=(port,),
        ready=lambda _: answers(f"http://127.0.0.1:{port}/ping"),
    )


def record_and_history(online: str) -> dict[str, Any]:
    """The use case's example request, with history of all its keys in the online table."""
    features = spec.module(USE_CASE, "features")
    request = example(features.Request)
    keys = request.model_dump()
    for name, view in features.VIEWS.items():
        moments = [request.event_time - timedelta(minutes=step) for step in range(1, 500)]
        columns = {"known_at": pl.Series(moments, dtype=pl.Datetime("us", "UTC"))}
        values = {value: pl.lit(None if dtype == pl.String else 1, dtype) for value, dtype in view.values.items()}
        frame = pl.DataFrame(columns).with_columns(**{key: pl.lit(keys[key]) for key in view.keys}, **values)
        table.publish(online, use_case=USE_CASE, name=name, view=view, frame=frame)
    return request.model_dump(mode="json")


def our_server(home: Path, booster: Any, stack: ExitStack) -> tuple[Service, dict[str, Any]]:
    """Our server with the booster, S3 and PostgreSQL beside it; and a record to ask it."""
    names = tuple(spec.module(USE_CASE, "features").FEATURES)
    metadata = Metadata(use_case=USE_CASE, features=names, categories={}, created_from={})
    data = seal(export(booster, TREES, metadata.output), metadata)

    key = seaweedfs.Key(name="bench", access="bench", secret=secrets.token_hex(16))
    ports = dict(zip(seaweedfs.PORTS, free_ports(len(seaweedfs.PORTS)), strict=True))
    bucket = seaweedfs.service(home, ports=ports, admin=key, signing_key=secrets.token_hex(16))
    database = postgres.service(home, databases=("online",), durable=False)
    for service in (bucket, database):
        stack.enter_context(running(service, log=home / f"{service.name}.log"))
    online = postgres.dsn(postgres.socket_directory(home), "online")
    objects = Objects(S3(endpoint=bucket.url, region=seaweedfs.REGION, access_key=key.access, secret_key=key.secret))

    (port,) = free_ports(1)
    env = {
        "PYTHONPATH": str(REPO),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "AWS_ENDPOINT_URL": bucket.url,
        "AWS_REGION": seaweedfs.REGION,
        "AWS_ACCESS_KEY_ID": key.access,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "FLIGHTLINE_USE_CASE": USE_CASE,
        "FLIGHTLINE_MODEL_URI": store.put(objects, "s3://models", USE_CASE, data),
        "FLIGHTLINE_MODEL_DIGEST": digest(data),
        "FLIGHTLINE_ONLINE_DSN": online,
        "FLIGHTLINE_DRAIN_SECONDS": "0",
    }
    record = record_and_history(online)
    service = Service(
        name="serving",
        command=(str(python("serving")), "-m", "include.services.serving"),
        env=env,
        ports=(port,),
        ready=lambda _: answers(f"http://127.0.0.1:{port}/v2/health/ready"),
    )
    return service, record


def logging(home: Path, ours: Service, stack: ExitStack) -> Service:
    """Our server once more, with its prediction log on; and the broker."""
    broker, port = free_ports(2)
    stack.enter_context(running(tansu.service(host="127.0.0.1", port=broker), log=home / "tansu.log"))
    settings = {"bootstrap.servers": f"127.0.0.1:{broker}"}
    admin, topic = AdminClient(settings), f"predictions.{USE_CASE}"
    admin.create_topics([NewTopic(topic)])[topic].result(30)
    env = {**ours.env, "PORT": str(port), "FLIGHTLINE_KAFKA": json.dumps(settings)}
    return replace(
        ours,
        name="logging",
        env=env,
        ports=(port,),
        ready=lambda _: answers(f"http://127.0.0.1:{port}/v2/health/ready"),
    )


def cost_of_the_log(ours: Service, logged: Service, pids: tuple[int, int], path: str, body: Any) -> None:
    """Ask both in turns, and print medians of the ratios."""
    ratios: dict[int, list[list[float]]] = {connections: [] for connections in CONNECTIONS}
    for _ in range(ROUNDS):
        off = ask("log off", pids[0], ours.ports[0], path, body)
        on = ask("log on", pids[1], logged.ports[0], path, body)
        for connections, found in ratios.items():
            (plain, plain_cost), (log, log_cost) = off[connections], on[connections]
            seen = [after / before for before, after in zip(plain[:3], log[:3], strict=True)]
            found.append([*seen, log_cost / plain_cost])
    for connections, found in ratios.items():
        speed, p50, p99, cpu = np.median(found, axis=0)
        print(
            f"log on / off, {path.rpartition('/')[2]}, {connections} connections: requests/s {speed:.2f}x, "
            f"p50 {p50:.2f}x, p99 {p99:.2f}x, CPU a request {cpu:.2f}x"
        )


def main() -> None:
    """Measure and print."""
    width = len(spec.module(USE_CASE, "features").FEATURES)
    matrix = np.random.default_rng(0).normal(size=(ROWS, width)).astype(np.float32)
    row = matrix[0].tolist()
    tensor = {"inputs": [{"name": "features", "datatype": "FP32", "shape": [1, width], "data": row}]}
    booster = train(matrix)
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        home = Path(temporary)
        mlflow = mlflow_server(home, booster)
        with running(mlflow, log=home / "mlflow.log", timeout_seconds=120) as process:
            theirs = ask("mlflow, features", process.pid, mlflow.ports[0], "/invocations", {"inputs": [row]})
        ours, record = our_server(home, booster, stack)
        process = stack.enter_context(running(ours, log=home / "serving.log"))
        rows = {
            "flightline, features": ask(
                "flightline, features", process.pid, ours.ports[0], f"/v2/models/{USE_CASE}/infer", tensor
            ),
            "flightline, records": ask(
                "flightline, records", process.pid, ours.ports[0], f"/v1/models/{USE_CASE}/predict", record
            ),
        }
        logged = logging(home, ours, stack)
        other = stack.enter_context(running(logged, log=home / "logging.log"))
        for path, body in ((f"/v2/models/{USE_CASE}/infer", tensor), (f"/v1/models/{USE_CASE}/predict", record)):
            cost_of_the_log(ours, logged, (process.pid, other.pid), path, body)
        print(*(line for line in metrics(logged.ports[0]) if "predictions_" in line and "#" not in line), sep="\n")
    for name, found in rows.items():
        for connections, (measured, cost) in found.items():
            base, base_cost = theirs[connections]
            print(
                f"{name} / mlflow, {connections} connections: requests/s {measured.per_second / base.per_second:.1f}x, "
                f"p99 {measured.p99_ms / base.p99_ms:.2f}x, CPU a request {cost / base_cost:.2f}x"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        port, path, connections, seconds = sys.argv[2:]
        load_ = _load(int(port), path, sys.stdin.buffer.read(), int(connections), float(seconds))
        print(json.dumps(uvloop.run(load_)))
    else:
        main()
