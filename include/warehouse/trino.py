"""The warehouse on a Trino of one's own, by its published client.

https://trino.io/docs/current/develop/client-protocol.html
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from include.foundation.echo import cut
from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.warehouse.columns import arrow
from include.warehouse.dialect import translated
from include.warehouse.question import Answer, Question

if TYPE_CHECKING:
    from include.warehouse.statement import Statement

PAGE_ROWS = 500
USERS = frozenset({"USER_ERROR", "INSUFFICIENT_RESOURCES"})


class TrinoWarehouse:
    """Trino.

    Args:
        connection: of `trino.dbapi`.
        catalog: its name for the lake.
    """

    name = "Trino"

    def __init__(self, connection: Any, *, catalog: str = "iceberg") -> None:
        self._connection, self._catalog = connection, catalog

    def start(self, question: Question) -> _Query:
        """Start to answer. Raises what `translated` raises."""
        statement = translated(question, to="trino", catalog=self._catalog)
        return _Query(self._connection.cursor(), statement, question)


class _Query:
    """One query that Trino runs. Its client waits inside `execute`, so a clock ends what takes too long."""

    def __init__(self, cursor: Any, statement: Statement, question: Question) -> None:
        self._cursor, self._statement, self._limits = cursor, statement, question.limits
        self._since, self._ended = time.monotonic(), ""

    def answer(self) -> Answer:
        """Run it, and fetch rows until the limits."""
        from trino.exceptions import Error, TrinoQueryError

        seconds = self._limits.seconds
        late = f"it took more than {seconds:g} s: read fewer days, or aggregate"
        clock = threading.Timer(max(seconds, 0), self._end, [late])
        clock.daemon = True
        clock.start()
        rows, size, cut_off = list[list[Any]](), 0, False
        try:
            if not self._ended:
                self._cursor.execute(self._statement.sql)
            while not cut_off and not self._ended and (page := self._cursor.fetchmany(PAGE_ROWS)):
                for row in page:
                    size += sum(len(str(each)) for each in row)
                    if len(rows) >= self._limits.rows or size > self._limits.answer_bytes:
                        cut_off = True
                        break
                    rows.append(row)
        except TrinoQueryError as error:
            if not self._ended:
                kind = InvalidInput if error.error_type in USERS else ServiceUnavailable
                raise kind(f"Trino says {error.error_name}: {cut(str(error.message), 1_000)}") from error
        except (Error, OSError) as error:  # requests' errors are OSErrors
            if not self._ended:
                raise ServiceUnavailable(f"Trino does not answer: {cut(str(error), 300)}") from error
        finally:
            clock.cancel()
        if self._ended:
            raise InvalidInput(self._ended)
        if cut_off:
            self._cursor.cancel()
        described = self._cursor.description or []
        return Answer(
            rows=arrow([each[0] for each in described], [str(each[1]) for each in described], rows),
            cut=cut_off,
            seconds=time.monotonic() - self._since,
            tables=self._statement.tables,
        )

    def cancel(self) -> None:
        """End it."""
        self._end("it was cancelled")

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._cursor.cancel()
