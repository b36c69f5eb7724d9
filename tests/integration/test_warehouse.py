"""The warehouse on a real lake: what it reads, what it refuses, and that the engine is closed behind the check too."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime

import duckdb
import polars as pl
import pytest

from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.warehouse import Limits, Question, engine
from include.warehouse.duck import DuckWarehouse, properties
from sandbox.supervisor.service import REPO

pytestmark = pytest.mark.integration

D = [date(2013, 1, day) for day in range(1, 4)]
ROWS = pl.DataFrame({"event_date": D, "delay": [1, 2, 3], "tail": ["N1", "é", None]})
# The check refuses them all; here they meet the engine itself.
BEHIND = (
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/hostname')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('http://127.0.0.1:{port}/')",
    "SELECT * FROM read_text('s3://landing/*')",
    "SELECT * FROM glob('/etc/*')",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO 's3://models/out.csv'",
    "ATTACH '{folder}/other.db'",
    "EXPORT DATABASE '{folder}/all'",
    "INSTALL spatial",
    "LOAD '{folder}/other.duckdb_extension'",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET memory_limit = '64GB'",
    "SET lock_configuration = false",
    "PRAGMA memory_limit = '64GB'",
    "CREATE TABLE lake.silver.other (a int)",
    "INSERT INTO lake.silver.t SELECT * FROM lake.silver.t",
    "DELETE FROM lake.silver.t",
    "UPDATE lake.silver.t SET delay = 0",
    "DROP TABLE lake.silver.t",
    "ALTER TABLE lake.silver.t ADD COLUMN b int",
)


@pytest.fixture(scope="module")
def lake(new_lake: Callable[..., Lake]) -> Lake:
    one = new_lake()
    replace_days(one, "silver.t", ROWS[:2], D[:2], {"run_key": "1"})
    replace_days(one, "secret.t", ROWS, D, {"run_key": "1"})
    return one


def ask(lake: Lake, sql: str, **options) -> pl.DataFrame:
    answer = DuckWarehouse(lake).start(Question(sql=sql, **options)).answer()
    return pl.DataFrame(pl.from_arrow(answer.rows))


def test_it_reads_and_travels_in_time(lake):
    assert ask(lake, "SELECT * FROM silver.t ORDER BY event_date").equals(ROWS[:2])
    first, before = tables.current_snapshot_id(lake, "silver.t"), datetime.now(UTC)
    time.sleep(0.01)
    replace_days(lake, "silver.t", ROWS[2:], D[2:], {"run_key": "2"})
    counts = [
        ask(lake, "SELECT count(*) AS n FROM silver.t", **state)["n"][0]
        for state in ({}, {"snapshot": first}, {"at": before})
    ]
    assert counts == [3, 2, 2]
    with pytest.raises(InvalidInput, match="snapshot"):
        ask(lake, "SELECT * FROM silver.t", snapshot=5)


def test_only_what_may_be_read_is_read(lake):
    assert len(ask(lake, "SELECT * FROM silver.t", readable={"silver.t"}))
    with pytest.raises(InvalidInput, match="that you may query"):
        ask(lake, "SELECT * FROM silver.t, secret.t", readable={"silver.t"})
    with pytest.raises(InvalidInput, match="does not exist"):
        ask(lake, "SELECT * FROM silver.missing")


def test_an_answer_has_ends(lake):
    answer = DuckWarehouse(lake).start(Question(sql="SELECT * FROM range(50)", limits=Limits(rows=7))).answer()
    assert (answer.rows.num_rows, answer.cut) == (7, True)
    wide = "SELECT repeat('x', 1000000) FROM range(100)"
    answer = DuckWarehouse(lake).start(Question(sql=wide, limits=Limits(answer_bytes=3_000_000))).answer()
    assert answer.rows.num_rows < 4
    assert answer.cut
    with pytest.raises(InvalidInput, match="MiB"):
        ask(lake, "SELECT list(r.range) FROM range(1000000000) r", limits=Limits(memory_mb=100))
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 1"
    with pytest.raises(InvalidInput, match="it took more than"):
        ask(lake, endless, limits=Limits(seconds=-10))
    running = DuckWarehouse(lake).start(Question(sql=endless))
    threading.Timer(1, running.cancel).start()
    with pytest.raises(InvalidInput, match="cancelled"):
        running.answer()
    with pytest.raises(ProcessLookupError):
        os.kill(running._process.pid, 0)


def test_a_lake_that_is_away_is_said(lake):
    away = Lake(
        catalog_properties={**lake.catalog_properties, "uri": "http://127.0.0.1:1", "oauth2-server-uri": ""},
        s3=lake.s3,
        landing="s3://landing",
        models="s3://models",
    )
    with pytest.raises(ServiceUnavailable, match="cannot be attached"):
        ask(away, "SELECT 1")


def test_the_engine_is_closed_behind_the_check(lake, tmp_path, seaweedfs):
    port = seaweedfs.ports["s3"]
    with engine.empty() as connection:
        engine.attach(connection, engine.attachment(properties(lake)), memory_mb=256)
        assert connection.sql("SELECT count(*) FROM lake.silver.t").fetchall()
        for sql in BEHIND:
            with pytest.raises(duckdb.Error):  # noqa: PT012 (which one it is, is shown)
                print(sql)
                connection.execute(sql.format(port=port, folder=tmp_path)).fetchall()
    assert not [*tmp_path.iterdir()]


def test_the_process_is_confined(tmp_path):
    """Even code in the engine's place could write no file, and finds no secret in its environment."""
    code = (
        "import json, os, sys\n"
        "from include.warehouse.worker import confine\n"
        "confine(memory_mb=64, seconds=5)\n"
        "found = []\n"
        "try:\n    os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'x')\n"
        "except OSError: found.append('file')\n"
        "try:\n    bytearray(2 << 30)\nexcept MemoryError: found.append('memory')\n"
        "print(json.dumps(found))"
    )
    out = tmp_path / "out"
    env = {"PYTHONPATH": str(REPO), "PATH": os.defpath}
    done = subprocess.run((sys.executable, "-c", code, str(out)), env=env, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout or "[]") == ["file", "memory"], done.stderr


def test_a_shell_asks_too(lake, tmp_path):
    env = {"PYTHONPATH": str(REPO), "PATH": os.defpath, **lake.env()}
    command = (sys.executable, "-m", "include.warehouse", "SELECT min(delay) AS delay FROM silver.t", "--format", "csv")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "delay\n1\n"), done.stderr
    bad = subprocess.run((*command[:3], "DROP TABLE silver.t"), env=env, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr) == (1, "InvalidInput: only SELECT may run here, not DROP\n")


def test_secrets_stay_inside(lake):
    assert lake.s3.secret_key not in repr(engine.attachment(properties(lake)))
    assert lake.s3.secret_key in json.dumps(asdict(engine.attachment(properties(lake))))
