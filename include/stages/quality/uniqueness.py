"""Rows that say again what another said: judged among rows that pass everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.stages.quality.checks import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

COPY = Rule(column=None, text="repeats an earlier row", fails=nw.lit(value=False))


def repeated(rules: Sequence[Rule], typed: pl.DataFrame, rows: pl.Series) -> list[tuple[Rule, pl.Series]]:
    """Find repeated rows.

    Args:
        rules: those with `unique`.
        typed: all rows.
        rows: indices of those to look at, ascending.

    Returns:
        Copies of an earlier row, equal in every column; and per rule, among the others, all rows that share the values
        of its columns, since nothing tells which is right.
    """
    found: list[tuple[Rule, pl.Series]] = []
    suspects = [rows.filter(_shared(typed, rows, rule.unique)) for rule in rules]
    if not any(len(each) for each in suspects):
        return []
    some = pl.concat(suspects).unique().sort()
    first = typed[some].select(pl.struct(typed.columns).is_first_distinct()).to_series()
    if not first.all():
        found.append((COPY, some.filter(~first)))
    some = some.filter(first)
    for rule in rules:
        again = some.filter(_shared(typed, some, rule.unique))
        if len(again):
            found.append((rule, again))
    return found


def _shared(typed: pl.DataFrame, rows: pl.Series, columns: Sequence[str]) -> pl.Series:
    """Where a row has these columns' values in common with another one."""
    part = typed.select(columns)
    return (part if len(rows) == len(part) else part[rows]).is_duplicated()
