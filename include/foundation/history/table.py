"""The online table: the newest history in PostgreSQL, where serving looks up what batch joins.

One table, `online.history`: use case, view, key, `known_at`, and the values as one JSON object. Floats are written with
the shortest digits that give the same bits back, moments as whole microseconds since 1970 (UTC), and JSONB keeps
numbers as decimals; so a row read is the row published, bit for bit.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
from psycopg.errors import ProgramLimitExceeded, QueryCanceled, UndefinedTable

from include.foundation.errors import InvalidInput, PermanentError, ServiceUnavailable
from include.foundation.history.join import EVENT_TIME, KNOWN_AT, columns, conform
from include.foundation.spec import View

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BEGINNING, END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
CONNECT_SECONDS = 5
ANSWER_MS = 5000
LOOKUPS = 10_000  # of one query: a thousand requests or so

# Concurrent creators of a schema fail each other, so they take turns.
_CREATE = """
SELECT pg_advisory_xact_lock(hashtextextended('online.history', 0));
CREATE SCHEMA IF NOT EXISTS online;
CREATE TABLE IF NOT EXISTS online.history (
    use_case text NOT NULL,
    view text NOT NULL,
    key text NOT NULL,
    known_at timestamptz NOT NULL,
    value jsonb NOT NULL,
    PRIMARY KEY (use_case, view, key, known_at)
);
"""
_CLEAR = """
DELETE FROM online.history WHERE use_case = %s AND view = %s AND known_at >= %s AND known_at < %s
"""
_EXPIRE = """
DELETE FROM online.history AS old
USING (
    SELECT view, key, max(known_at) AS known_at FROM online.history
    WHERE use_case = %(use_case)s AND known_at <= %(before)s GROUP BY view, key
) AS last
WHERE old.use_case = %(use_case)s AND old.view = last.view AND old.key = last.key AND old.known_at < last.known_at
"""
_READ = """
SELECT asked.place - 1 + %b, found.known_at, found.value
FROM unnest(%b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[]) WITH ORDINALITY
    AS asked(view, key, oldest, newest, place)
CROSS JOIN LATERAL (
    SELECT known_at, value FROM online.history
    WHERE use_case = %b AND view = asked.view AND key = asked.key AND known_at BETWEEN asked.oldest AND asked.newest
    ORDER BY known_at DESC LIMIT 1
) AS found
"""


def publish(
    dsn: str,
    *,
    use_case: str,
    name: str,
    view: View,
    frame: pl.DataFrame,
    start: datetime = BEGINNING,
    end: datetime = END,
) -> int:
    """Replace a view's rows with `start <= known_at < end` by those of the frame, in one transaction.

    Args:
        dsn: libpq DSN; schema and table are made when they are missing.
        use_case: name of the use case.
        name: name of the view.
        view: the view.
        frame: its history; rows outside the range are left out.
        start: first moment, UTC.
        end: the moment after the last one.

    Returns:
        How many rows were written.

    Raises:
        InvalidInput: the frame does not conform to the view (see `join.conform`), a text holds the character NUL, or a
            key is longer than PostgreSQL's index takes (2,704 bytes, compressed).
        PermanentError: the DSN is malformed, or its role may not write there.
        ServiceUnavailable: PostgreSQL does not answer.
    """
    rows = conform(frame, name=name, view=view).filter(pl.col(KNOWN_AT).is_between(start, end, closed="left"))
    lines = rows.select(
        use_case=pl.lit(use_case),
        view=pl.lit(name),
        key=_key(view),
        known_at=pl.col(KNOWN_AT).dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00"),
        value=_encoded(view),
    ).write_csv(include_header=False, quote_style="always")
    with _transaction(dsn) as connection:
        # Two runs that publish the same view take turns, else the second would meet the first one's rows.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{use_case}.{name}"])
        connection.execute(_CLEAR, [use_case, name, start, end])
        try:
            with connection.cursor().copy("COPY online.history FROM STDIN (FORMAT csv)") as copy:
                copy.write(lines)
        except psycopg.DataError as error:
            raise InvalidInput(f"view {name}: {_short(error)}") from error
        except ProgramLimitExceeded as error:
            key = max(rows.select(_key(view)).to_series(), key=lambda text: len(text.encode()))
            size = len(key.encode())
            raise InvalidInput(
                f"view {name}: a key is too long for PostgreSQL's index; the longest has {size} bytes: {key[:80]}..."
            ) from error
    return rows.height


def expire(dsn: str, *, use_case: str, before: datetime) -> int:
    """Delete what no request at `before` or later can see.

    These are the rows that another row of their key, not after `before`, has replaced; a key's newest row always stays.

    Returns:
        How many rows were deleted.

    Raises:
        ServiceUnavailable: PostgreSQL does not answer.
    """
    with _transaction(dsn) as connection:
        return connection.execute(_EXPIRE, {"use_case": use_case, "before": before}).rowcount


class Reader:
    """Joins history to requests from the online table, as `join.as_of` does from frames.

    Keeps one connection, opened when first needed and again when a query failed on it: it may be broken, or a pooler
    may have lost its prepared statement. Threads may share a reader; they take turns.

    Args:
        dsn: libpq DSN.
        use_case: name of the use case.
        views: its views.
    """

    def __init__(self, dsn: str, use_case: str, views: Mapping[str, View]) -> None:
        self._dsn = dsn
        self._use_case = use_case
        self._views = views
        self._schema = columns(views)
        names = list(self._schema)
        self._places = {name: names.index(f"{name}__{KNOWN_AT}") for name in views}
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def join(self, requests: pl.DataFrame) -> pl.DataFrame:
        """Join every view to the requests, each row as of its own `event_time`.

        One round trip for all views of all requests, or of every `LOOKUPS` of them.

        Args:
            requests: `event_time` (UTC, microseconds) and the views' keys; other columns stay.

        Returns:
            What `join.as_of` returns for the same history: same columns, types and bits.

        Raises:
            PermanentError: the DSN is malformed, or its role may not read there.
            ServiceUnavailable: PostgreSQL does not answer, or nothing was ever published.
        """
        times = requests[EVENT_TIME].to_physical().to_list()
        keys = {part: requests[part].to_list() for view in self._views.values() for part in view.keys}
        found = zip(*self.look_up(times, keys), strict=True) if times else [()] * len(self._schema)
        series = [pl.Series(n, v, t) for (n, t), v in zip(self._schema.items(), found, strict=True)]
        return requests.hstack(series)

    def look_up(self, times: Sequence[int], keys: Mapping[str, Sequence[str | int | None]]) -> list[list[Any]]:
        """The values that `join` adds, a list for each request, as polars stores them (moments as microseconds).

        Args:
            times: the requests' `event_time`, microseconds since 1970.
            keys: their keys, by name.

        Raises:
            PermanentError, ServiceUnavailable: see `join`.
        """
        asked = [
            (name, _text(key), place, at)
            for name, view in self._views.items()
            for place, (at, *key) in enumerate(zip(times, *(keys[part] for part in view.keys), strict=True))
            if None not in key
        ]
        rows: list[list[Any]] = [[None] * len(self._schema) for _ in times]
        for number, known_at, value in self._ask(asked):
            name, _, place, _ = asked[number]
            row, column = rows[place], self._places[name]
            row[column] = (known_at - EPOCH) // MICROSECOND
            # What another version of the use case published may lack a value, or have one more.
            for value_name, dtype in self._views[name].values.items():
                column += 1
                cell = value.get(value_name)
                # JSONB writes 1e22 as a whole number.
                row[column] = float(cell) if cell is not None and dtype.is_float() else cell
        return rows

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _ask(self, asked: Sequence[tuple[str, str, int, int]]) -> list[tuple[int, datetime, dict[str, Any]]]:
        beginning = (BEGINNING - EPOCH) // MICROSECOND
        ages = {name: view.max_age // MICROSECOND for name, view in self._views.items()}
        found: list[tuple[int, datetime, dict[str, Any]]] = []
        for start in range(0, len(asked), LOOKUPS):
            part = asked[start : start + LOOKUPS]
            arguments = (
                start,
                [name for name, *_ in part],
                [key for _, key, *_ in part],
                [EPOCH + max(at - ages[name], beginning) * MICROSECOND for name, _, _, at in part],
                [EPOCH + at * MICROSECOND for *_, at in part],
                self._use_case,
            )
            with self._lock, _answered():
                try:
                    found += self._execute(arguments)
                except (QueryCanceled, UndefinedTable):
                    raise
                except psycopg.Error:
                    # The server was restarted, the network dropped the idle connection, or the prepared statement is
                    # not there (a pooler has handed us to another server): once more on a new one, unprepared.
                    self._disconnect()
                    found += self._execute(arguments, prepare=False)
        return found

    def _execute(self, arguments: Sequence[Any], *, prepare: bool = True) -> list[tuple[int, datetime, dict[str, Any]]]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._dsn, autocommit=True, connect_timeout=CONNECT_SECONDS, tcp_user_timeout=ANSWER_MS
            )
            self._connection.execute(f"SET TimeZone TO 'UTC'; SET statement_timeout TO {ANSWER_MS}")
        return self._connection.cursor(binary=True).execute(_READ, arguments, prepare=prepare).fetchall()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _transaction(dsn: str) -> Iterator[psycopg.Connection]:
    """A transaction on a new connection, in which the table is there."""
    with _answered(), psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
        # Only if it is missing: a role that may write need not be one that may create.
        if connection.execute("SELECT to_regclass('online.history')").fetchone() == (None,):
            connection.execute(_CREATE)
        yield connection


@contextmanager
def _answered() -> Iterator[None]:
    """Turn psycopg's errors into ours."""
    try:
        yield
    except UndefinedTable as error:
        raise ServiceUnavailable("online.history does not exist yet: run the features Dag") from error
    except psycopg.ProgrammingError as error:
        raise PermanentError(f"the online table cannot be used with this DSN: {_short(error)}") from error
    except psycopg.Error as error:
        raise ServiceUnavailable(f"the online table does not answer: {_short(error)}") from error


def _short(error: psycopg.Error) -> str:
    return str(error)[:500]


def _key(view: View) -> pl.Expr:
    """The key as one text: its parts joined by `|`, `|` and backslash escaped by a backslash."""
    texts = [pl.col(key).cast(pl.String) for key in view.keys]
    return pl.concat_str([text.str.replace_all(r"([\\|])", r"\$1") for text in texts], separator="|")


def _text(key: Sequence[str | int]) -> str:
    """As `_key`, without the 0.3 ms that polars needs to begin."""
    return "|".join(str(part).replace("\\", "\\\\").replace("|", "\\|") for part in key)


def _encoded(view: View) -> pl.Expr:
    """The values as a JSON object: floats with all their bits, moments, days and durations as integers."""
    if not view.values:
        return pl.lit("{}")
    fields = [
        pl.col(name).cast(pl.Float64) if dtype.is_float() else pl.col(name).to_physical()
        for name, dtype in view.values.items()
    ]
    return pl.struct(fields).struct.json_encode()
