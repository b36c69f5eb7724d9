"""The demo's questions about the day after the last ingested one."""

import subprocess
from datetime import date
from types import SimpleNamespace

import psycopg
import pytest

from include.foundation.spec import load
from include.stages.features.online import publish_online
from include.stages.ingest.run import run as ingest
from sandbox.demo.following_day import ask, next_day
from sandbox.supervisor.service import REPO, SandboxError, python

pytestmark = pytest.mark.integration
SPEC = load("flight_delays")
DAYS = [date(2013, 1, day) for day in range(1, 6)]


def test_a_day_in_the_middle_is_not_fed(lake, postgres_database) -> None:
    words = ("-m", "sandbox.demo.landing", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    env = {**lake.env(), "PYTHONPATH": str(REPO)}
    subprocess.run((str(python("sandbox")), *words), env=env, check=True, capture_output=True)
    assert next_day(lake, SPEC) == DAYS[0]
    ingest(lake, SPEC, DAYS, run_id="played")
    assert next_day(lake, SPEC) == date(2013, 1, 6)

    online = postgres_database()
    publish_online(lake, SPEC, DAYS[0], DAYS[-1], dsn=online)
    with psycopg.connect(online) as connection:
        before = connection.execute("select count(*), max(known_at) from online.history").fetchone()
    at = SimpleNamespace(trainer_env=lake.env(), dsn={"online": online}.get)
    with pytest.raises(SandboxError, match="ingested up to 2013-01-05"):
        ask(at, SPEC, DAYS[3])
    with psycopg.connect(online) as connection:
        assert connection.execute("select count(*), max(known_at) from online.history").fetchone() == before
