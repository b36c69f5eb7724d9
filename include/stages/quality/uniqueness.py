"""Rows that say again what another said: judged among rows that pass everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from include.stages.quality.checks import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


class Keys:
    """Uniqueness over frames that come one after another: what no frame shows by itself.

    First each frame is judged alone, and hashes of its keys are kept (8 bytes a row of the day at hand). If a key came
    in two frames, `settle` looks at its rows together, and the frames are to be judged once more.

    Args:
        rules: those with `unique`; the day is among the columns of each.
        day: the name of its column.
        origin: columns that tell rows apart, beside the typed ones.
    """

    def __init__(self, rules: Sequence[Rule], *, day: str, origin: Sequence[str]) -> None:
        self._rules, self._day, self._origin = rules, day, [*origin]
        self._open = [pl.DataFrame(schema={day: pl.Date, "hash": pl.UInt64})] * len(rules)  # of the last day
        self._again = [pl.Series(dtype=pl.UInt64)] * len(rules)
        self._gathered: list[pl.DataFrame] | None = None
        self._known: pl.DataFrame | None = None  # origin, and the number of the reason or null

    def find(self, typed: pl.DataFrame, candidates: pl.Series, rows: pl.DataFrame) -> list[tuple[Rule, pl.Series]]:
        """Repeated rows of a frame.

        Args:
            typed: the frame; frames come in order of their days.
            candidates: indices of the rows that pass everything else.
            rows: the frame as it landed, with the columns of `origin`.
        """
        if self._known is not None:
            return self._by_origin(self._known, typed, candidates, rows)
        if self._gathered is not None:
            both = typed[candidates].hstack(rows[candidates].select(pl.col(self._origin).name.prefix("__")))
            self._gathered.append(both.filter(self._suspicious()))
            return []
        self._note(typed.select({self._day, *(name for rule in self._rules for name in rule.unique)})[candidates])
        return repeated(self._rules, typed, candidates)

    def settle(self, judge_all: Callable[[], object]) -> bool:
        """Look at rows whose key came in several frames, if there are any.

        Args:
            judge_all: judges all frames once more, from the first on; the verdicts are not used.

        Returns:
            Whether verdicts have changed, so that all frames are to be judged again.
        """
        if self._known is not None or not any(len(each) for each in self._again):
            return False
        self._gathered = []
        judge_all()
        some = pl.concat(self._gathered)
        origin = some.select(pl.col(f"__{name}").alias(name) for name in self._origin)
        typed = some.drop(f"__{name}" for name in self._origin)
        reasons = pl.Series("reason", [None] * len(some), dtype=pl.Int64)
        numbers = {rule: number for number, rule in enumerate([COPY, *self._rules])}
        for rule, indices in repeated(self._rules, typed, pl.int_range(len(some), dtype=pl.UInt32, eager=True)):
            reasons = reasons.scatter(indices, numbers[rule])
        self._known = origin.with_columns(reasons)
        return True

    def _note(self, keys: pl.DataFrame) -> None:
        if keys.is_empty():
            return
        last = keys[self._day].max()
        for number, rule in enumerate(self._rules):
            new = keys.select(self._day, hash=_hash(rule))
            before = self._open[number].filter(pl.col(self._day) >= new[self._day].min())
            if len(before):
                found = new.filter(pl.col("hash").is_in(before["hash"].implode()))["hash"]
                self._again[number] = pl.concat([self._again[number], found]).unique()
            self._open[number] = pl.concat([before, new]).filter(pl.col(self._day) == last)

    def _suspicious(self) -> pl.Expr:
        return pl.any_horizontal(
            _hash(rule).is_in(again.implode()) for rule, again in zip(self._rules, self._again, strict=True)
        )

    def _by_origin(
        self, settled: pl.DataFrame, typed: pl.DataFrame, candidates: pl.Series, rows: pl.DataFrame
    ) -> list[tuple[Rule, pl.Series]]:
        here = rows.select(self._origin)[candidates].with_columns(index=candidates)
        known = here.join(settled, on=self._origin, how="inner", maintain_order="left")
        others = candidates.filter(~candidates.is_in(known["index"].implode()))
        found = repeated(self._rules, typed, others)
        for number, rule in enumerate([COPY, *self._rules]):
            if len(indices := known.filter(pl.col("reason") == number)["index"]):
                found.append((rule, indices))
        return found


def _hash(rule: Rule) -> pl.Expr:
    return pl.struct(rule.unique).hash()
