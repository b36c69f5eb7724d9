"""Bring Airflow's database up to date and add the Connections. Runs in the `airflow` environment, in one process."""

import hashlib
import json
from typing import Any

from airflow.models import Connection
from airflow.settings import get_session
from airflow.utils.db import upgradedb
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select

from sandbox.endpoints import Endpoints
from sandbox.supervisor.home import read_json, write

_FIELDS = ("conn_type", "host", "schema", "login", "password", "port", "extra")


def migrate() -> None:
    """Create or upgrade the database; if there is nothing to do, find that out faster than Airflow would."""
    config = Config()
    config.set_main_option("script_location", "airflow:migrations")
    with get_session()() as session:  # type: ignore[no-untyped-call]
        known = MigrationContext.configure(session.connection()).get_current_heads()
    if set(known) != set(ScriptDirectory.from_config(config).get_heads()):
        upgradedb()


def connect(at: Endpoints) -> None:
    """Add the Connections that are missing; replace those that are as an earlier call left them.

    So a new base port reaches them, and what a user has edited stays.
    """
    record = at.home.airflow / "connections.json"
    left: dict[str, str] = read_json(record) or {}
    with get_session()() as session:  # type: ignore[no-untyped-call]
        known = {row.conn_id: row for row in session.scalars(select(Connection))}
        for conn_id, fields in at.connections.items():
            row = known.get(conn_id)
            if row is None:
                session.add(Connection(conn_id=conn_id, description="Made by the sandbox", **fields))
            elif _digest({name: getattr(row, name) for name in _FIELDS}) == left.get(conn_id):
                for name in _FIELDS:
                    setattr(row, name, fields.get(name))
            else:
                continue
            left[conn_id] = _digest(fields)
        session.commit()
    write(record, json.dumps(left))


def _digest(fields: dict[str, Any]) -> str:
    kept = {name: fields[name] for name in _FIELDS if fields.get(name) is not None}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    migrate()
    connect(Endpoints.from_env())
