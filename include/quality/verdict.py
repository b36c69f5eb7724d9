"""The verdict on landed rows: what enters silver, and what goes to quarantine and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.quality.casting import meaning
from include.quality.checks import Rule, failures

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from include.quality.contract import Contract

REASONS = "reasons"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a frame of landed rows.

    Attributes:
        passed: typed rows with the contract's columns, in the order in which they landed.
        failed: the other rows as they landed, with `reasons` (list of text: `column: what: 'value'`).
        counts: failed rows per reason without its value. A row may count under several reasons.
        examples: per reason, the index of the first such row in `failed`.
    """

    passed: pl.DataFrame
    failed: pl.DataFrame
    counts: Mapping[str, int]
    examples: Mapping[str, int]


def judge(contract: Contract, rows: pl.DataFrame, *, null_values: Collection[str]) -> Verdict:
    """Judge rows as they landed.

    Args:
        contract: what they must be.
        rows: the landed columns as text, `event_date`, and any other columns, which are ignored and kept.
        null_values: texts that stand for no value.

    Returns:
        Every row once, in `passed` or in `failed`.
    """
    typed, unread = _typed(contract, rows, null_values)
    rules, broken = failures(contract.schema, typed)
    # What a row's unreadable value would have been is unknown, so its other failures say nothing.
    readable = ~unread.select(no=pl.any_horizontal(pl.all()))["no"] if unread.width else None
    if readable is not None and not readable.all():
        broken = broken.select(pl.all() & readable)
    rules = [Rule(column=name, text=f"not {meaning(typed.schema[name])}") for name in unread.columns] + rules
    broken = pl.concat([unread, broken], how="horizontal")
    bad = broken.select(bad=pl.any_horizontal(pl.all()))["bad"] if broken.width else pl.repeat(False, rows.height)
    broken, failed = broken.filter(bad), rows.filter(bad)
    found = {str(rule): column for rule, column in zip(rules, broken, strict=True) if column.any()}
    return Verdict(
        passed=typed.filter(~bad),
        failed=failed.with_columns(pl.Series(REASONS, _reasons(rules, broken, failed), dtype=pl.List(pl.String))),
        counts={reason: column.sum() for reason, column in found.items()},
        examples={reason: column.arg_true()[0] for reason, column in found.items()},
    )


def _typed(contract: Contract, rows: pl.DataFrame, null_values: Collection[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The contract's columns, and per column that does not always read (by name): whether the text had no reading."""
    text = {name: _text(name, null_values) for name in contract.landed}
    typed = rows.select(
        *(parse(text[name]).alias(name) for name, parse in contract.parsers.items()),
        "event_date",
    )
    unread = rows.select(
        *(pl.lit(value=False).alias(name) for name in ()),
        *(text[name].is_not_null().alias(name) for name in contract.landed),
    ).with_columns(**{name: pl.col(name) & typed[name].is_null() for name in contract.landed})
    unread = unread.select(column for column in unread if column.any())
    derived = {name: derive() for name, derive in contract.derived.items()}
    frame = nw.from_native(typed).with_columns(**derived).to_native() if derived else typed
    return frame.select(contract.columns), unread


def _text(name: str, null_values: Collection[str]) -> pl.Expr:
    column = pl.col(name)
    return pl.when(column.is_in(list(null_values))).then(None).otherwise(column) if null_values else column


def _reasons(rules: list[Rule], broken: pl.DataFrame, failed: pl.DataFrame) -> list[list[str]]:
    """Per failed row its reasons. Rows are few, so this is plain Python."""
    reasons: list[list[str]] = [[] for _ in range(failed.height)]
    for rule, column in zip(rules, broken, strict=True):
        values = failed[rule.column] if rule.column in failed.columns else None
        for index in column.arg_true():
            value = values[index] if values is not None else None
            reasons[index].append(f"{rule}: {value!r}" if value is not None else str(rule))
    return reasons
