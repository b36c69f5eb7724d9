"""A contract's checks, compiled once to narwhals expressions that are True where a row fails.

Pandera's built-in checks, nullability and uniqueness become expressions that mean exactly what pandera's polars backend
computes; any other check is run by pandera itself, on the same frame. Where such a check raises, the rows on which it
does are looked for, so that one of them does not decide about the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
from pandera.constants import CHECK_OUTPUT_KEY

from include.stages.quality.parts import by_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandera.polars as pa
    from pandera.api.checks import Check

FAILS = "__fails__"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """One thing that a row can fail: of a column, or of the whole row (`column` is None).

    `fails` is where it fails: an expression, or pandera's check. `alone`: a row is judged by itself, so the expression
    means the same on a part of the frame. `unique`: the columns of which no two rows may have the same values.
    """

    column: str | None
    text: str
    fails: nw.Expr | Check
    alone: bool = True
    unique: tuple[str, ...] = ()

    @property
    def own(self) -> bool:
        """Whether it is a check that the use case wrote, none of pandera's."""
        return not isinstance(self.fails, nw.Expr) and _built_in(self.fails) is None

    def __str__(self) -> str:
        """The reason, without the value."""
        return self.text if self.column is None else f"{self.column}: {self.text}"


def failures(rules: Sequence[Rule], frame: pl.DataFrame) -> list[tuple[Rule, pl.Series]]:
    """Judge a typed frame that has exactly the schema's columns.

    Rows that fail nothing, nearly all, are found by one fused pass; only the others are looked at rule by rule.

    Returns:
        Per rule that some row fails, the indices of these rows, ascending.
    """
    alone = [rule.fails for rule in rules if rule.alone and isinstance(rule.fails, nw.Expr)]
    whole = {rule: _run(rule, frame) for rule in rules if not rule.alone}
    fused = nw.any_horizontal(*alone, ignore_nulls=False) if alone else nw.lit(value=False)
    suspects = frame.select(pl.int_range(pl.len(), dtype=pl.UInt32)).to_series().filter(_series(fused, frame))
    part = frame[suspects]
    found = [
        (rule, whole[rule].arg_true() if rule in whole else suspects.filter(_run(rule, part)))
        for rule in rules
        if rule in whole or len(suspects)
    ]
    return [(rule, indices) for rule, indices in found if len(indices)]


def rules(schema: pa.DataFrameSchema) -> list[Rule]:
    """Everything that rows of the schema can fail, in pandera's order."""
    found: list[Rule] = []
    for name, column in schema.columns.items():
        if not column.nullable:
            found.append(Rule(column=name, text="missing", fails=_missing(name, column.dtype.type)))
        if column.unique:
            found.append(
                Rule(column=name, text="not unique", fails=nw.len().over(name) > 1, alone=False, unique=(name,))
            )
        found += [_rule(check, name, column.dtype.type) for check in column.checks if not check.raise_warning]
    if schema.unique:
        text = f"not unique: {', '.join(schema.unique)}"
        fails = nw.len().over(*schema.unique) > 1
        found.append(Rule(column=None, text=text, fails=fails, alone=False, unique=tuple(schema.unique)))
    return found + [
        Rule(column=None, text=_text(check), fails=check, alone=False)
        for check in schema.checks
        if not check.raise_warning
    ]


def _rule(check: Check, name: str, kind: pl.DataType) -> Rule:
    compiled = _compiled(check, name, kind)
    fails = check if compiled is None else compiled
    return Rule(column=name, text=_text(check), fails=fails, alone=compiled is not None)


def _text(check: Check) -> str:
    return str(check.error or check.name or check)


def _run(rule: Rule, frame: pl.DataFrame) -> pl.Series:
    if isinstance(rule.fails, nw.Expr):
        return _series(rule.fails, frame)
    return _by_pandera(rule.fails, frame, rule.column)


def _series(fails: nw.Expr, frame: pl.DataFrame) -> pl.Series:
    return nw.from_native(frame).with_columns(fails.alias(FAILS)).to_native()[FAILS]


def _missing(name: str, kind: pl.DataType) -> nw.Expr:
    missing = nw.col(name).is_null()
    return missing | nw.col(name).is_nan().fill_null(value=False) if kind.is_float() else missing


def _compiled(check: Check, name: str, kind: pl.DataType) -> nw.Expr | None:
    """The check as an expression that is True where a row fails; None if pandera must run it."""
    build = _built_in(check)
    if build is None:
        return None
    passes = build(nw.col(name), **check._check_kwargs)
    # Pandera: where a check has no answer (the value is null), the row passes unless ignore_na=False.
    fails = (~passes).fill_null(value=not check.ignore_na)
    try:
        _series(fails, pl.DataFrame({name: ["a" if kind == pl.String else None]}, schema={name: kind}))
    except Exception:  # noqa: BLE001 (such as a pattern that is none: `Contract` refuses it)
        return None
    return fails


def run_check(check: Check, frame: pl.DataFrame, name: str | None) -> pl.Series:
    """Let pandera run one check: whether each row passes. Raises whatever the check raises."""
    answer: pl.Series = check(frame.lazy(), name).check_output.collect()[CHECK_OUTPUT_KEY]
    return answer


def _built_in(check: Check) -> Callable[..., nw.Expr] | None:
    """What one of pandera's checks means. Pandera, too, goes by the function's name; the check may have another."""
    return None if check.element_wise else BUILT_IN.get(getattr(check._check_fn, "__name__", ""))


def _by_pandera(check: Check, frame: pl.DataFrame, name: str | None) -> pl.Series:
    """Where a check fails. An answer for the whole frame counts for every row; a row on which it raises fails."""
    passes, _ = by_parts(lambda part: run_check(check, part, name), frame, what=f"check {_text(check)!r}")
    passes = passes.cast(pl.Boolean).fill_null(value=False)
    if passes.len() == frame.height:
        return ~passes
    return pl.repeat(value=not passes.all(), n=frame.height, eager=True)


def _starts(pattern: str | re.Pattern[str]) -> str:
    text = _pattern(pattern)
    return text if text.startswith("^") else f"^{text}"


def _pattern(pattern: str | re.Pattern[str]) -> str:
    return pattern.pattern if isinstance(pattern, re.Pattern) else pattern


def _in_range(
    column: nw.Expr, *, min_value: Any, max_value: Any, include_min: bool = True, include_max: bool = True
) -> nw.Expr:
    above: nw.Expr = column >= min_value if include_min else column > min_value
    below: nw.Expr = column <= max_value if include_max else column < max_value
    return above & below


def _length(
    column: nw.Expr, *, min_value: int | None = None, max_value: int | None = None, exact_value: int | None = None
) -> nw.Expr:
    length = column.str.len_chars()
    if exact_value is not None:
        return length == exact_value
    if min_value is None:
        return length <= max_value
    above: nw.Expr = length >= min_value
    return above if max_value is None else above & (length <= max_value)


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
    "str_matches": lambda column, pattern: column.str.contains(_starts(pattern)),
    "str_contains": lambda column, pattern: column.str.contains(_pattern(pattern)),
    "str_startswith": lambda column, string: column.str.starts_with(string),
    "str_endswith": lambda column, string: column.str.ends_with(string),
    "str_length": _length,
}
