"""Query: read-only SQL over the lake, its answer as a table, a chart or a file."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from flightline.hooks.warehouse import WarehouseHook
from flightline.ui import chart, data, lookups, render
from flightline.ui.access import Looking, Posting, Visitor
from include.catalog.sample import texts
from include.foundation.errors import InvalidInput, MissingInput
from include.warehouse.question import LONGEST_SQL, Limits, Question, moment

if TYPE_CHECKING:
    import polars as pl

    from include.warehouse import Answer, Running

log = logging.getLogger(__name__)
router = APIRouter(prefix="/query")
AT_ONCE = 4  # questions of all visitors; each is a process with memory of its own
KEPT = 16  # answers, to draw and to load down
SLACK_SECONDS = 30.0  # beyond a question's limit: to start, and to fetch rows
LIMITS = Limits()
Kind = Literal["line", "bar", "scatter", "histogram"]
Id = Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")]


@dataclass(kw_only=True)
class Asked:
    """A question of a visitor, while it runs and a while after.

    Attributes:
        user: whose it is: nobody else sees its answer.
        running: what answers.
        until: when its time is over (`time.monotonic`).
        answer: once there is one.
    """

    user: str
    running: Running
    until: float
    answer: Answer | None = None


class Desk:
    """The questions that run, and the newest answers; in this process alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def ask(self, visitor: Visitor, question: Question) -> str:
        """Start; the question's id. Raises InvalidInput where the visitor asks already, or too many do."""
        user = str(visitor.user.get_id())
        with self._lock:
            self._tidy()
            busy = [each for each in self._asked.values() if each.answer is None]
            if any(each.user == user for each in busy):
                raise InvalidInput("your last question still runs: wait for it, or cancel it")
            if len(busy) >= AT_ONCE:
                raise InvalidInput("others ask just now: try again in some seconds")
            number, running = secrets.token_hex(16), WarehouseHook().get_conn().start(question)
            until = time.monotonic() + question.limits.seconds + SLACK_SECONDS
            self._asked[number] = Asked(user=user, running=running, until=until)
        return number

    def of(self, visitor: Visitor, number: str) -> Asked:
        """A question of the visitor. Raises MissingInput where he has none of that id (any more)."""
        found = self._asked.get(number)
        if found is None or found.user != str(visitor.user.get_id()):
            raise MissingInput("this answer is not kept any more: ask again")
        return found

    def answer(self, visitor: Visitor, number: str) -> Answer:
        """Wait for the answer. Raises what answering raises."""
        asked = self.of(visitor, number)
        if asked.answer is None:
            try:
                asked.answer = asked.running.answer()
            finally:
                if asked.answer is None:
                    with self._lock:
                        self._forget(number)
        return asked.answer

    def cancel(self, visitor: Visitor, number: str) -> None:
        """End it."""
        asked = self.of(visitor, number)
        asked.running.cancel()
        asked.until = 0.0

    def _tidy(self) -> None:
        """Forget what nobody came for in its time, and the oldest answers; what runs stays."""
        now = time.monotonic()
        over = [number for number, each in self._asked.items() if each.answer is None and each.until < now]
        answered = [number for number, each in self._asked.items() if each.answer is not None]
        for number in (*over, *answered[:-KEPT]):
            self._forget(number)

    def _forget(self, number: str) -> None:
        """Drop a question, and end it: what has no answer may run on where it runs."""
        asked = self._asked.pop(number, None)
        if asked is not None and asked.answer is None:
            try:
                asked.running.cancel()
            except Exception:  # who asks something else is not to be stopped by it
                log.exception("a question of %s could not be cancelled", asked.user)


desk = Desk()


@router.get("")
def form(
    visitor: Looking,
    table: Annotated[str, Query(max_length=200)] = "",
    snapshot: Annotated[str, Query(pattern=r"^[0-9]{0,19}$")] = "",
) -> HTMLResponse:
    """The form, filled for a table."""
    tables = data.readable(visitor)
    columns = {each.entry.identifier: each.entry.columns for each in lookups.catalog().tables()}.get(table, ())
    names = ", ".join(f'"{column.name}"' for column in columns[:8] if column.name.isidentifier()) or "*"
    sql = f"select {names}\nfrom {table}\nlimit 100" if table in tables else ""
    return render.page(
        "query.html", visitor, tables=tables, sql=sql, snapshot=snapshot, limits=LIMITS, longest=LONGEST_SQL
    )


@router.post("")
def ask(
    visitor: Posting,
    sql: Annotated[str, Form(max_length=LONGEST_SQL)],
    at: Annotated[str, Form(max_length=40)] = "",
    snapshot: Annotated[str, Form(pattern=r"^[0-9]{0,19}$")] = "",
) -> HTMLResponse:
    """Start a question; the part of the page that waits for its answer."""
    question = Question(
        sql=sql,
        at=moment(at) if at else None,
        snapshot=int(snapshot) if snapshot else None,
        readable=data.readable(visitor),
        limits=LIMITS,
    )
    return render.page("asked.html", visitor, id=desk.ask(visitor, question))


@router.get("/answer")
def answer(visitor: Looking, id: Id) -> HTMLResponse:
    """The answer, when it is there."""
    found = desk.answer(visitor, id)
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(found.rows))
    names, values = texts(frame.head(200))
    numeric = [name for name, kind in frame.schema.items() if kind.is_numeric() or kind.is_temporal()]
    return render.page(
        "answer.html", visitor, id=id, answer=found, names=names, values=values, numeric=numeric, shown=len(values)
    )


@router.post("/cancel")
def cancel(visitor: Posting, id: Annotated[str, Form(pattern=r"^[0-9a-f]{32}$")]) -> Response:
    """End a question."""
    desk.cancel(visitor, id)
    return Response(status_code=204)


@router.get("/chart")
def draw(
    visitor: Looking,
    id: Id,
    kind: Kind,
    y: Annotated[str, Query(max_length=200)],
    x: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """A chart of the answer."""
    found = desk.answer(visitor, id)
    return HTMLResponse(drawn(found, kind, x, y), headers=render.SECURE)


@router.get("/file")
def file(visitor: Looking, id: Id, form: Literal["csv", "parquet"]) -> Response:
    """The answer as a file."""
    from include.warehouse.formats import write

    written = write(desk.answer(visitor, id).rows, form)
    kind = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}[form]
    headers = {**render.SECURE, "Content-Disposition": f'attachment; filename="answer.{form}"'}
    return Response(written, media_type=kind, headers=headers)


def drawn(found: Answer, kind: Kind, x: str, y: str) -> str:
    """The chart. Raises InvalidInput for columns that it cannot draw."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(found.rows))
    for name in {y, *([x] if kind != "histogram" else [])}:
        if name not in frame.columns:
            raise InvalidInput(f"the answer has no column {name[:80]!r}")
    values = _numbers(frame[y])
    if kind == "histogram":
        return chart.histogram(y, [value for value in values if value is not None])
    if kind == "bar":
        pairs = [
            (str(name), value) for name, value in zip(frame[x].to_list(), values, strict=True) if value is not None
        ]
        return chart.bars(f"{y} by {x}", pairs[:60])
    times = frame.schema[x].is_temporal()
    points = [
        (place, value)
        for place, value in zip(_numbers(frame[x]), values, strict=True)
        if place is not None and value is not None
    ]
    ordered = points if kind == "scatter" else sorted(points)
    return chart.line(f"{y} over {x}", {"": ordered}, times=times, points=kind == "scatter")


def _numbers(series: pl.Series) -> list[float | None]:
    """Numbers, or seconds since 1970 of days and moments."""
    import polars as pl

    if series.dtype.is_temporal():
        if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
            return [
                None if each is None else each / 1e6 for each in series.cast(pl.Datetime("us")).to_physical().to_list()
            ]
        raise InvalidInput(f"{series.name[:80]!r} is no day, moment or number")
    if not series.dtype.is_numeric():
        raise InvalidInput(f"{series.name[:80]!r} holds no numbers, days or moments: choose another column")
    return [None if each is None else float(each) for each in series.to_list()]
