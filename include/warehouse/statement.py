"""Which statements may run: one SELECT over tables of the lake, by functions that compute.

DuckDB parses, this module walks the tree, and what runs is written anew from the tree that was walked: nothing that a
parser of our own would have read otherwise can slip through. Whatever is not known here is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from include.foundation.echo import cause, listing, quoted
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from duckdb import DuckDBPyConnection

CATALOG = "lake"
TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
QUERIES = frozenset({"CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE"})
SOURCES = frozenset({"BASE_TABLE", "COLUMN_DATA", "EMPTY", "EXPRESSION_LIST", "JOIN", "SUBQUERY", "TABLE_FUNCTION"})
# They tell of the engine, wait, write or read SQL; the rest of DuckDB's own scalar functions only compute.
_NOT_COMPUTING = frozenset(
    {
        *("current_connection_id", "current_query", "current_query_id", "current_setting", "current_transaction_id"),
        *("currval", "error", "getenv", "getvariable", "nextval", "parse_duckdb_log_message", "pg_conf_load_time"),
        *("pg_postmaster_start_time", "pg_sleep", "setseed", "sleep_ms", "stats", "txid_current", "write_log"),
        *("json_deserialize_sql", "json_serialize_plan", "json_serialize_sql"),
    }
)
_OWN = ("duckdb_", "pg_", "pragma_", "sqlite_")  # views of DuckDB's own that need no schema
DEEPEST = 200  # nested parts


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement that may run: its text, written anew, and the tables that it reads."""

    sql: str
    tables: tuple[str, ...]


def functions(connection: DuckDBPyConnection) -> frozenset[str]:
    """Names of the functions that compute. Ask before extensions are loaded: theirs are not among them."""
    found = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro')"
    ).fetchall()
    return frozenset(name for (name,) in found) - _NOT_COMPUTING


def check(
    connection: DuckDBPyConnection,
    sql: str,
    *,
    computing: Collection[str],
    readable: Collection[str] | None = None,
    snapshot: int | None = None,
    at: datetime | None = None,
) -> Statement:
    """Read a statement, and write it anew if it may run.

    Args:
        connection: of DuckDB.
        sql: the statement.
        computing: names of allowed functions, as `functions` gives them.
        readable: the tables (`namespace.table`) that may be read; None is all.
        snapshot: put to the table, where it names one.
        at: put to all tables that say no state themselves.

    Raises:
        InvalidInput: it may not run; the message says why.
    """
    tree = _parsed(connection, sql)
    nodes = list(_walk(tree))
    tables = [node for node, parts in nodes if node.get("type") == "BASE_TABLE" and not _is_part(node, parts)]
    for node, _ in nodes:
        _check_query(node)
        _check_source(node)
        _check_function(node, computing)
    names = tuple(sorted({_table(node, readable) for node in tables}))
    if snapshot is not None and len(names) != 1:
        raise InvalidInput(f"a snapshot is of one table; this reads {listing(names) or 'none'}: say a moment instead")
    for node in tables:
        node["catalog_name"] = CATALOG
        if snapshot is not None or at is not None:
            if node["at_clause"] is not None:
                raise InvalidInput("the statement says AT itself: choose the state here or there")
            node["at_clause"] = _state(connection, snapshot, at)
    (written,) = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]).fetchone() or ("",)
    return Statement(sql=written, tables=names)


def _parsed(connection: DuckDBPyConnection, sql: str) -> dict[str, Any]:
    import duckdb

    try:
        found = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise InvalidInput(f"not a statement: {cause(error)}") from error
    if len(found) != 1:
        raise InvalidInput(
            "nothing is asked: write a SELECT"
            if not found
            else f"one SELECT at a time; these are {len(found)} statements (PIVOT counts as some: write it by CASE)"
        )
    if found[0].type != duckdb.StatementType.SELECT:
        raise InvalidInput(f"only SELECT may run here, not {found[0].type.name}")
    (said,) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone() or ("{}",)
    tree: dict[str, Any] = json.loads(said)
    if tree.get("error") is not False:
        raise InvalidInput(f"only SELECT may run here: {str(tree.get('error_message'))[:200]}")
    return tree


def _walk(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every object of the tree, and the parts that WITH gives there.

    Not recursive, so that no statement is too deep for Python.
    """
    todo: list[tuple[Any, int, frozenset[str]]] = [(tree, 0, frozenset())]
    while todo:
        node, depth, parts = todo.pop()
        if depth > DEEPEST * 4:  # an expression inside another is some levels of JSON
            raise InvalidInput(f"the statement is nested more than {DEEPEST} deep: write it simpler")
        if isinstance(node, dict):
            yield node, parts
            for entry in _ctes(node):  # each sees those before it
                todo.append((entry["value"], depth + 1, parts))
                parts |= {_part(entry["key"])}
            for key, value in node.items():
                if key == "right" and node.get("type") == "RECURSIVE_CTE_NODE":  # the step, and it alone, sees itself
                    todo.append((value, depth + 1, parts | {_part(node["cte_name"])}))
                elif key != "cte_map":
                    todo.append((value, depth + 1, parts))
        elif isinstance(node, list):
            todo += [(value, depth + 1, parts) for value in node]


def _ctes(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = node.get("cte_map")
    return list(found.get("map", ())) if isinstance(found, dict) else []


def _part(name: str) -> str:
    """The name that WITH gives to a part, in small letters.

    It must be one that DuckDB finds nothing else by, whoever reads wrongly where WITH reaches: of what is no plain word
    DuckDB reads a file; of some words it has views.
    """
    if not name.isidentifier() or name.lower().startswith(_OWN):
        raise InvalidInput(f"WITH cannot name a part {quoted(name)} here: use a plain word, such as part_1")
    return _small(name)


def _small(name: str) -> str:
    """In small letters as DuckDB has them: of A to Z alone."""
    return name.encode().lower().decode()


def _is_part(node: dict[str, Any], parts: Collection[str]) -> bool:
    """Whether it is one of the parts that WITH gives there."""
    return not node["catalog_name"] and not node["schema_name"] and _small(node["table_name"]) in parts


def _check_query(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in QUERIES:
        raise InvalidInput(f"only SELECT may run here, not {kind.removesuffix('_NODE')}")


def _check_source(node: dict[str, Any]) -> None:
    # What rows come from: a node with these keys is a table reference, of whatever kind.
    if "sample" in node and "alias" in node and "type" in node and node["type"] not in SOURCES:
        kind = str(node["type"]).removesuffix("_REF")
        raise InvalidInput(f"{kind} is not allowed here: read tables of the lake by SELECT; Data lists them")


def _check_function(node: dict[str, Any], computing: Collection[str]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", ""))
        if name not in TABLE_FUNCTIONS:
            raise InvalidInput(f"{name}() is not allowed here: read tables of the lake; files and settings are closed")
    elif "function_name" in node:
        name = str(node["function_name"])
        if name not in computing and name not in TABLE_FUNCTIONS:
            raise InvalidInput(f"{quoted(name)} is no function that may be used here")


def _table(node: dict[str, Any], readable: Collection[str] | None) -> str:
    catalog, schema, name = node["catalog_name"], node["schema_name"], node["table_name"]
    if catalog not in ("", CATALOG) or not schema:
        raise InvalidInput(f"{quoted(name)} is no table of the lake: write namespace.table, such as silver.some_table")
    identifier = f"{schema}.{name}"
    if readable is not None and identifier not in readable:
        raise InvalidInput(f"there is no table {quoted(identifier)} that you may query; Data lists what there is")
    return identifier


def _state(connection: DuckDBPyConnection, snapshot: int | None, at: datetime | None) -> dict[str, Any]:
    """The AT clause, as DuckDB itself reads it."""
    clause = f"VERSION => {int(snapshot)}" if snapshot is not None else f"TIMESTAMP => {_literal(at)}"
    tree = _parsed(connection, f"SELECT * FROM t AT ({clause})")  # noqa: S608 (a number or a moment)
    found: dict[str, Any] = tree["statements"][0]["node"]["from_table"]["at_clause"]
    return found


def _literal(at: datetime | None) -> str:
    return f"TIMESTAMP '{at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'" if at else "NULL"
