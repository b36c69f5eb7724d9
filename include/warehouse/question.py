"""What is asked of a warehouse, and what every warehouse answers: the slot that DuckDB and Athena fill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

LONGEST_SQL = 20_000  # characters


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one question may cost.

    Attributes:
        rows: of the answer; more are cut off, and the answer says so.
        answer_bytes: of the answer as Arrow; what is beyond is cut off too.
        seconds: after which it is ended.
        memory_mb: that the engine may take (MiB).
    """

    rows: int = 1_000
    answer_bytes: int = 16 << 20
    seconds: float = 30.0
    memory_mb: int = 512


@dataclass(frozen=True, kw_only=True)
class Question:
    """One statement.

    Attributes:
        sql: a SELECT; tables are `namespace.table`.
        snapshot: read all its tables as they were at this snapshot (of the one table that it names).
        at: read all its tables as they were at this moment; None is now. Not with `snapshot`.
        readable: the tables that may be read; None is all.
        limits: what it may cost.
    """

    sql: str
    snapshot: int | None = None
    at: datetime | None = None
    readable: Collection[str] | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if len(self.sql) > LONGEST_SQL:
            raise InvalidInput(f"a statement has at most {LONGEST_SQL:,} characters; this one has {len(self.sql):,}")
        if self.snapshot is not None and self.at is not None:
            raise InvalidInput("say either a snapshot or a moment, not both")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The rows.

    Attributes:
        rows: as Arrow.
        cut: there were more than the limits allow.
        seconds: that it took, the start of the engine included.
        tables: that were read.
    """

    rows: pa.Table
    cut: bool
    seconds: float
    tables: tuple[str, ...]


class Running(Protocol):
    """A question that is being answered."""

    def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            InvalidInput: the statement is refused, is wrong, takes more than its limits allow, or was cancelled.
            ServiceUnavailable: the lake or the engine does not answer.
        """
        ...

    def cancel(self) -> None:
        """End it; `answer` raises InvalidInput. Harmless when it has ended."""
        ...


class Warehouse(Protocol):
    """An engine that reads the lake."""

    name: str

    def start(self, question: Question) -> Running:
        """Start to answer."""
        ...


def moment(text: str) -> datetime:
    """A moment of a form or a shell: `2013-01-31` (its end) or ISO 8601; without a zone it is UTC.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no day and no moment; write 2013-01-31 or 2013-01-31T12:00") from error
    if len(text) <= len("2013-01-31"):
        found = found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
