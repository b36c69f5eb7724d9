"""Trino, by its published client against a server that speaks the protocol's pages and runs the SQL on DuckDB."""

import json
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import duckdb
import polars as pl
import pytest
import sqlglot
import trino

from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.warehouse import Limits, Question
from include.warehouse.trino import TrinoWarehouse

TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "DATE": "date", "VARCHAR": "varchar", "DOUBLE": "double"}
SIZE = [{"kind": "LONG", "value": 2147483647}]


class Server(BaseHTTPRequestHandler):
    """A page with the columns, one a hundred rows, one without a next; its queries never end where they say `slow`."""

    queries: ClassVar[dict[str, list]] = {}
    cancelled: ClassVar[list[str]] = []
    database: ClassVar[duckdb.DuckDBPyConnection]

    def do_POST(self):
        sql = self.rfile.read(int(self.headers["content-length"])).decode()
        number = str(len(self.queries))
        if "slow" in sql:
            self.queries[number] = []
            return self._say({"id": number, "nextUri": self._next(number, 0)})
        try:
            found = self.database.cursor().execute(sqlglot.transpile(sql, read="trino", write="duckdb")[0])
        except duckdb.Error as error:
            said = {"message": str(error), "errorCode": 1, "errorName": "COLUMN_NOT_FOUND", "errorType": "USER_ERROR"}
            return self._say({"id": number, "error": said})
        kinds = [(each[0], TYPES[str(each[1])]) for each in found.description]
        rows = [[each.isoformat() if isinstance(each, date) else each for each in row] for row in found.fetchall()]
        columns = [{"name": a, "type": b, "typeSignature": {"rawType": b, "arguments": SIZE}} for a, b in kinds]
        parts = [rows[at : at + 100] for at in range(0, len(rows), 100)]
        self.queries[number] = [{"columns": columns, **({"data": part} if part else {})} for part in parts or [[]]]
        return self._say({"id": number, "nextUri": self._next(number, 0)})

    def do_GET(self):
        *_, number, at = self.path.split("/")
        pages, place = self.queries[number], int(at)
        page = pages[place] if place < len(pages) else {}
        more = place + 1 < len(pages) or not pages
        self._say({"id": number, **page, **({"nextUri": self._next(number, place + 1)} if more else {})})

    def do_DELETE(self):
        self.cancelled.append(self.path)
        self.send_response(204)
        self.end_headers()

    def _next(self, number, at):
        return f"http://127.0.0.1:{self.server.server_port}/v1/statement/executing/{number}/{at}"

    def _say(self, said):
        body = json.dumps({"infoUri": "http://x/", "stats": {"state": "RUNNING"}, **said}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def warehouse():
    Server.database = duckdb.connect()
    Server.database.execute(
        "ATTACH ':memory:' AS iceberg; CREATE SCHEMA iceberg.silver; CREATE TABLE iceberg.silver.flights AS "
        "SELECT DATE '2013-01-01' + (range // 100)::INT AS event_date, range AS n, 'é' AS tail FROM range(250)"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield TrinoWarehouse(trino.dbapi.connect(host="127.0.0.1", port=server.server_port, user="someone"))
        server.shutdown()


def test_rows_of_several_pages_have_their_types(warehouse):
    sql = (
        "select event_date, count(*) as n, min(tail) as tail, avg(n) as mean from silver.flights group by 1 order by 1"
    )
    answer = warehouse.start(Question(sql=sql)).answer()
    assert pl.DataFrame(pl.from_arrow(answer.rows)).row(0) == (date(2013, 1, 1), 100, "é", 49.5)
    every = warehouse.start(Question(sql="select * from silver.flights")).answer()
    assert (every.rows.num_rows, every.cut, every.tables) == (250, False, ("silver.flights",))


def test_more_rows_than_the_limit_are_cut_and_the_query_is_ended(warehouse):
    answer = warehouse.start(Question(sql="select * from silver.flights", limits=Limits(rows=120))).answer()
    assert (answer.rows.num_rows, answer.cut) == (120, True)


def test_a_wrong_column_a_long_wait_and_a_cancel_are_said(warehouse):
    with pytest.raises(InvalidInput, match="COLUMN_NOT_FOUND"):
        warehouse.start(Question(sql="select nothing from silver.flights")).answer()
    before = len(Server.cancelled)
    slow = Question(sql="select 'slow' from silver.flights", limits=Limits(seconds=0.3))
    with pytest.raises(InvalidInput, match="took more than"):
        warehouse.start(slow).answer()
    running = warehouse.start(Question(sql=slow.sql))
    threading.Timer(0.3, running.cancel).start()
    with pytest.raises(InvalidInput, match="was cancelled"):
        running.answer()
    assert len(Server.cancelled) >= before + 2


def test_a_trino_that_is_away_is_said():
    away = trino.dbapi.connect(host="127.0.0.1", port=1, user="someone", max_attempts=1)
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        TrinoWarehouse(away).start(Question(sql="select 1", at=datetime(2013, 1, 1, tzinfo=UTC))).answer()
