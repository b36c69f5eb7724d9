"""The verdict on landed rows: what enters silver, and what goes to quarantine and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.stages.quality.casting import meaning
from include.stages.quality.checks import Rule, failures
from include.stages.quality.contract import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from include.stages.quality.contract import Contract

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
    unreadable = pl.concat([indices for _, indices in unread]) if unread else pl.Series(dtype=pl.UInt32)
    # What an unreadable value would have been is unknown, so its row's other failures say nothing.
    broken = [
        (rule, found.filter(~found.is_in(unreadable.implode()))) for rule, found in failures(contract.rules, typed)
    ]
    reasons = _merged([(rule, indices) for rule, indices in unread + broken if len(indices)])
    bad = pl.concat([indices for _, indices in reasons]).unique().sort() if reasons else unreadable
    failed = rows[bad]
    at = [(rule, bad.search_sorted(indices)) for rule, indices in reasons]
    return Verdict(
        passed=typed.filter(~pl.int_range(rows.height, eager=True).is_in(bad.implode())) if reasons else typed,
        failed=failed.with_columns(pl.Series(REASONS, _texts(failed, at), dtype=pl.List(pl.String))),
        counts={str(rule): len(indices) for rule, indices in at},
        examples={str(rule): indices[0] for rule, indices in at},
    )


def _typed(
    contract: Contract, rows: pl.DataFrame, null_values: Collection[str]
) -> tuple[pl.DataFrame, list[tuple[Rule, pl.Series]]]:
    """The contract's columns; and per column whose text had no reading somewhere, where."""
    absent = list(null_values)
    text = {name: pl.when(~pl.col(name).is_in(absent)).then(pl.col(name)) for name in contract.landed}
    typed = rows.select(*(parse(text[name]).alias(name) for name, parse in contract.parsers.items()), DAY)
    unread = []
    for name in contract.landed:
        if typed[name].null_count():
            where = (typed[name].is_null() & rows.select(text[name].is_not_null()).to_series()).arg_true()
            unread.append(
                (Rule(column=name, text=f"not {meaning(typed.schema[name])}", fails=nw.lit(value=False)), where)
            )
    derived = {name: derive() for name, derive in contract.derived.items()}
    frame = nw.from_native(typed).with_columns(**derived).to_native() if derived else typed
    return frame.select(contract.columns), unread


def _merged(reasons: Sequence[tuple[Rule, pl.Series]]) -> list[tuple[Rule, pl.Series]]:
    """Rules that say the same are one reason: a row that fails several of them has it once."""
    merged: dict[str, tuple[Rule, pl.Series]] = {}
    for rule, indices in reasons:
        first, before = merged.get(str(rule), (rule, indices[:0]))
        merged[str(rule)] = first, pl.concat([before, indices]).unique().sort()
    return [*merged.values()]


def _texts(failed: pl.DataFrame, at: Sequence[tuple[Rule, pl.Series]]) -> list[list[str]]:
    """Per failed row its reasons. Failed rows are few, so this is plain Python."""
    texts: list[list[str]] = [[] for _ in range(failed.height)]
    for rule, indices in at:
        values = failed[rule.column] if rule.column in failed.columns else None
        for index in indices:
            texts[index].append(str(rule) if values is None else f"{rule}: {values[index]!r}")
    return texts
