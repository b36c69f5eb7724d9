"""A contract's checks as one fused narwhals pass: per check, whether a row fails it.

Pandera's built-in checks, nullability and uniqueness become expressions that mean exactly what pandera's polars backend
computes; any other check is run by pandera itself, on the same frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
from pandera.api.checks import Check
from pandera.constants import CHECK_OUTPUT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandera.polars as pa


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that a row can fail: of a column, or of the whole row (`column` is None)."""

    column: str | None
    text: str

    def __str__(self) -> str:
        """The reason, without the value."""
        return self.text if self.column is None else f"{self.column}: {self.text}"


def failures(schema: pa.DataFrameSchema, frame: pl.DataFrame) -> tuple[list[Rule], pl.DataFrame]:
    """Judge a typed frame.

    Args:
        schema: the pandera schema.
        frame: exactly the schema's columns.

    Returns:
        The rules, and a boolean frame [rows, rules], columns named by the rule's number: True where a row fails.
    """
    rules: list[Rule] = []
    fused: list[nw.Expr] = []
    alone: list[pl.Series] = []

    def add(column: str | None, text: str, fails: nw.Expr | pl.Series) -> None:
        name = str(len(rules))
        rules.append(Rule(column=column, text=text))
        if isinstance(fails, pl.Series):
            alone.append(fails.alias(name))
        else:
            fused.append(fails.alias(name))

    for name, column in schema.columns.items():
        if not column.nullable:
            add(name, "missing", _missing(name, frame.schema[name]))
        if column.unique:
            add(name, "not unique", nw.len().over(name) > 1)
        for check in column.checks:
            if not check.raise_warning:
                fails = _compiled(check, name)
                add(name, _text(check), _by_pandera(check, frame, name) if fails is None else fails)
    if schema.unique:
        add(None, f"not unique: {', '.join(schema.unique)}", nw.len().over(*schema.unique) > 1)
    for check in schema.checks:
        if not check.raise_warning:
            add(None, _text(check), _by_pandera(check, frame, None))
    failed = nw.from_native(frame).select(*fused).to_native() if fused else pl.DataFrame(height=frame.height)
    return rules, failed.with_columns(alone).select(map(str, range(len(rules))))


def _missing(name: str, kind: pl.DataType) -> nw.Expr:
    missing = nw.col(name).is_null()
    return missing | nw.col(name).is_nan().fill_null(False) if kind.is_float() else missing


def _text(check: Check) -> str:
    return str(check.error or check.name or check)


def _matches(column: nw.Expr, pattern: str | re.Pattern[str]) -> nw.Expr:
    text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    return column.str.contains(text if text.startswith("^") else f"^{text}")


def _contains(column: nw.Expr, pattern: str | re.Pattern[str]) -> nw.Expr:
    return column.str.contains(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)


def _in_range(
    column: nw.Expr, min_value: Any, max_value: Any, include_min: bool = True, include_max: bool = True
) -> nw.Expr:
    above = column >= min_value if include_min else column > min_value
    return above & (column <= max_value if include_max else column < max_value)


def _length(
    column: nw.Expr, min_value: int | None = None, max_value: int | None = None, exact_value: int | None = None
) -> nw.Expr:
    length = column.str.len_chars()
    if exact_value is not None:
        return length == exact_value
    if min_value is None:
        return length <= max_value
    return length >= min_value if max_value is None else (length >= min_value) & (length <= max_value)


BUILT_IN: dict[str, Callable[..., nw.Expr]] = {
    "equal_to": lambda column, value: column == value,
    "not_equal_to": lambda column, value: column != value,
    "greater_than": lambda column, min_value: column > min_value,
    "greater_than_or_equal_to": lambda column, min_value: column >= min_value,
    "less_than": lambda column, max_value: column < max_value,
    "less_than_or_equal_to": lambda column, max_value: column <= max_value,
    "in_range": _in_range,
    "isin": lambda column, allowed_values: column.is_in(list(allowed_values)),
    "notin": lambda column, forbidden_values: ~column.is_in(list(forbidden_values)),
    "str_matches": _matches,
    "str_contains": _contains,
    "str_startswith": lambda column, string: column.str.starts_with(string),
    "str_endswith": lambda column, string: column.str.ends_with(string),
    "str_length": _length,
}


def _compiled(check: Check, name: str) -> nw.Expr | None:
    """The check as an expression that is True where a row fails; None if it is not a built-in one."""
    # Pandera, too, goes by the function's name (the check may have another one).
    build = BUILT_IN.get(getattr(check._check_fn, "__name__", ""))
    if build is None or check.element_wise:
        return None
    passes = build(nw.col(name), **check._check_kwargs)
    # Pandera: where a check has no answer (the value is null), the row passes unless ignore_na=False.
    return (~passes).fill_null(not check.ignore_na)


def _by_pandera(check: Check, frame: pl.DataFrame, name: str | None) -> pl.Series:
    """Let pandera run one check. An answer for the whole frame, or an error in the check, counts for every row."""
    try:
        passes = check(frame.lazy(), name).check_output.collect()[CHECK_OUTPUT_KEY]
    except Exception:  # noqa: BLE001 (pandera, too, takes any error in a check for a failure)
        return pl.repeat(True, frame.height, eager=True)
    if passes.len() == frame.height:
        return ~passes
    return pl.repeat(not passes.all(), frame.height, eager=True)
