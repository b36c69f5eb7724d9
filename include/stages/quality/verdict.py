"""The verdict on landed rows: what enters silver, and what goes to quarantine and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.foundation.echo import quoted
from include.stages.quality.casting import cast, is_absent
from include.stages.quality.checks import Rule, failures
from include.stages.quality.contract import DAY
from include.stages.quality.parts import by_parts
from include.stages.quality.uniqueness import repeated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from include.stages.quality.contract import Contract
    from include.stages.quality.uniqueness import Keys

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


def judge(contract: Contract, rows: pl.DataFrame, *, null_values: Collection[str], keys: Keys | None = None) -> Verdict:
    """Judge rows as they landed.

    A row's verdict depends on that row, except for uniqueness, which is judged among rows that pass everything else: a
    bad row takes no good one along. Of rows that are equal in every column the first stays.

    Args:
        contract: what they must be.
        rows: the landed columns as text, `event_date`, and any other columns, which are ignored and kept.
        null_values: texts that stand for no value.
        keys: of the frames before, if a day may come in several.

    Returns:
        Every row once, in `passed` or in `failed`.

    Raises:
        InvalidInput: a derived column or a check raises on very many rows; the message names it and the cause.
    """
    typed, unread = _typed(contract, rows, null_values)
    unreadable = _union([indices for _, indices in unread])
    # What an unreadable value would have been is unknown, so its row's other failures say nothing.
    broken = [(rule, _without(found, unreadable)) for rule, found in failures(contract.rules, typed)]
    reasons = _merged([(rule, indices) for rule, indices in unread + broken if len(indices)])
    bad = _union([indices for _, indices in reasons])
    if contract.unique:
        candidates = _rest(rows.height, bad)
        again = keys.find(typed, candidates, rows) if keys else repeated(contract.unique, typed, candidates)
        reasons = _merged([*reasons, *again])
        bad = _union([bad, *(indices for _, indices in again)])
    failed = rows[bad]
    at = [(rule, bad.search_sorted(indices)) for rule, indices in reasons]
    return Verdict(
        passed=typed[_rest(rows.height, bad)] if len(bad) else typed,
        failed=failed.with_columns(pl.Series(REASONS, _texts(failed, at), dtype=pl.List(pl.String))),
        counts={str(rule): len(indices) for rule, indices in at},
        examples={str(rule): indices[0] for rule, indices in at},
    )


def _typed(
    contract: Contract, rows: pl.DataFrame, null_values: Collection[str]
) -> tuple[pl.DataFrame, list[tuple[Rule, pl.Series]]]:
    """The contract's columns; and per column that has no reading somewhere, or cannot be derived, where."""
    typed = pl.DataFrame([*cast(rows, contract.readings, null_values), rows[DAY]])
    unread = []
    for name, reading in contract.readings.items():
        if typed[name].null_count():
            empty = typed[name].is_null().arg_true()
            texts = rows.select(name)[empty]
            where = empty.filter(~texts.select(is_absent(name, null_values)).to_series())
            unread.append((_never(name, f"not {reading.meaning}"), where))
    if not contract.derived:
        return typed.select(contract.columns), unread
    try:
        frame = nw.from_native(typed).with_columns(**{name: derive() for name, derive in contract.derived.items()})
        return frame.to_native().select(contract.columns), unread
    except Exception:  # noqa: BLE001 (whichever column it is, and whichever rows, is found below)
        return _derived(contract, typed, unread)


def _derived(
    contract: Contract, typed: pl.DataFrame, unread: list[tuple[Rule, pl.Series]]
) -> tuple[pl.DataFrame, list[tuple[Rule, pl.Series]]]:
    """Derived columns where some rows have none: column by column, and only as many rows at once as can be."""
    columns = []
    for name, derive in contract.derived.items():

        def evaluate(part: pl.DataFrame, name: str = name, derive: object = derive) -> pl.Series:
            return nw.from_native(part).with_columns(**{name: derive()}).to_native()[name]  # type: ignore[operator]

        values, causes = by_parts(evaluate, typed, what=f"contract {contract.name}: column {name!r}")
        columns.append(values.cast(contract.silver()[name]).alias(name))
        for text in dict.fromkeys(causes.values()):
            where = pl.Series([index for index, cause in causes.items() if cause == text], dtype=pl.UInt32)
            unread.append((_never(name, f"cannot be derived ({text})"), where))
    return typed.with_columns(columns).select(contract.columns), unread


def _never(name: str, text: str) -> Rule:
    return Rule(column=name, text=text, fails=nw.lit(value=False))


def _union(indices: Sequence[pl.Series]) -> pl.Series:
    return (
        pl.concat([each.cast(pl.UInt32) for each in indices]).unique().sort() if indices else pl.Series(dtype=pl.UInt32)
    )


def _rest(height: int, taken: pl.Series) -> pl.Series:
    """The other row numbers."""
    return _without(pl.int_range(height, dtype=pl.UInt32, eager=True), taken)


def _without(indices: pl.Series, taken: pl.Series) -> pl.Series:
    return indices.filter(~indices.is_in(taken.implode())) if len(taken) else indices


def _merged(reasons: Sequence[tuple[Rule, pl.Series]]) -> list[tuple[Rule, pl.Series]]:
    """Rules that say the same are one reason: a row that fails several of them has it once."""
    merged: dict[str, tuple[Rule, pl.Series]] = {}
    for rule, indices in reasons:
        first, before = merged.get(str(rule), (rule, indices[:0]))
        merged[str(rule)] = first, _union([before, indices])
    return [*merged.values()]


def _texts(failed: pl.DataFrame, at: Sequence[tuple[Rule, pl.Series]]) -> list[list[str]]:
    """Per failed row its reasons. Failed rows are few, so this is plain Python."""
    texts: list[list[str]] = [[] for _ in range(failed.height)]
    for rule, indices in at:
        values = failed[rule.column] if rule.column in failed.columns else None
        for index in indices:
            texts[index].append(str(rule) if values is None else f"{rule}: {quoted(values[index])}")
    return texts
