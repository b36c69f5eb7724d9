"""A statement in another engine's SQL: checked as DuckDB's, then put into the other's words by sqlglot.

People write one SQL on whatever engine answers; what the check refuses reaches none of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput
from include.warehouse.engine import empty
from include.warehouse.statement import Statement, check, functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlglot import exp

    from include.warehouse.question import Question

Dialect = Literal["athena", "trino"]


def translated(question: Question, *, to: Dialect, catalog: str) -> Statement:
    """The question's statement as the other engine reads it.

    Args:
        question: what is asked.
        to: the other engine's SQL.
        catalog: its name for the lake.

    Raises:
        InvalidInput: it may not run, says AT itself, or has something that the other engine has no words for.
    """
    with empty() as connection:
        connection.execute("SET memory_limit = '128MiB'")
        # Any state makes `check` refuse a statement that says AT itself: sqlglot would take it for an alias.
        at = question.at if question.at or question.snapshot is not None else datetime.now(UTC)
        tables = check(
            connection,
            question.sql,
            computing=functions(connection),
            readable=question.readable,
            snapshot=question.snapshot,
            at=at,
        ).tables
    return Statement(sql=_written(question, tables, to=to, catalog=catalog), tables=tables)


def _written(question: Question, tables: tuple[str, ...], *, to: Dialect, catalog: str) -> str:
    """From the text as it was asked: what DuckDB writes anew names functions that only DuckDB has."""
    from sqlglot import ErrorLevel, exp, parse
    from sqlglot.errors import SqlglotError

    try:
        found = [tree for tree in parse(question.sql, read="duckdb") if tree is not None]
        read = [table for tree in found for table in tree.find_all(exp.Table) if table.db]
        names = tuple(sorted({f"{table.db}.{table.name}" for table in read}))
        # Two parsers, one reading.
        if len(found) != 1 or not isinstance(found[0], exp.Query) or names != tables or not _clear(found[0]):
            raise InvalidInput("write it simpler: what it reads is not clear enough for this engine")
        for table in read:
            table.set("catalog", exp.to_identifier(catalog, quoted=True))
            table.set("version", _state(question))
        return found[0].sql(dialect=to, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise InvalidInput(f"this engine ({to}) has no words for it: {cause(error)}") from error


def _clear(query: exp.Query) -> bool:
    """Whether every name without a schema is a part that WITH gives there: elsewhere it would be any table."""
    from sqlglot import exp

    bare = [each for each in query.find_all(exp.Table) if not each.db and isinstance(each.this, exp.Identifier)]
    return all(_is_part(each) for each in bare)


def _is_part(table: exp.Table) -> bool:
    node: exp.Expr = table
    while (outer := node.parent) is not None:
        if table.name.lower() in _names(_given(node, outer)):
            return True
        node = outer
    return False


def _given(node: exp.Expr, outer: exp.Expr) -> Sequence[exp.Expr]:
    """The parts that `outer` gives to `node`, which lies in it: by its WITH, or as the step of a recursion."""
    from sqlglot import exp

    if isinstance(outer, exp.With):
        return outer.expressions[: node.index]  # those before it
    if isinstance(node, exp.With) or not isinstance(outer, exp.Query):
        return ()
    own = outer.parent
    if isinstance(own, exp.CTE) and isinstance(outer, exp.Union) and node.arg_key == "expression":
        # Trino takes it for no recursion where another part of the name is inside.
        recursive = isinstance(own.parent, exp.With) and own.parent.args.get("recursive")
        if recursive and own.alias.lower() not in _names(node.find_all(exp.CTE)):
            return (*outer.ctes, own)
    return outer.ctes


def _names(parts: Iterable[exp.Expr]) -> set[str]:
    return {each.alias.lower() for each in parts}


def _state(question: Question) -> exp.Version | None:
    from sqlglot import exp

    if question.snapshot is not None:
        return exp.Version(this="VERSION", kind="AS OF", expression=exp.Literal.number(question.snapshot))
    if question.at is not None:
        text = question.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
        moment = exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build("timestamptz"))
        return exp.Version(this="TIMESTAMP", kind="AS OF", expression=moment)
    return None
