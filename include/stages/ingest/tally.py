"""Counting a run's rows and the reasons why some fail, and the budget for that."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from include.foundation.errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.stages.quality import Verdict


SHOWN = 30  # reasons in a message


class Tally:
    """Counts of one source in one run.

    The budget is a fraction of all the run's rows of the source, not of each file's: a day of weather has 72 rows, so
    a per-file fraction would stop a quarter's backfill for four bad rows on one day. A run of one day is judged alone.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.landed = 0
        self.quarantined = 0
        self.reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, verdict: Verdict) -> None:
        """Count a judged frame (whose rows have `source_uri` and `source_position`)."""
        self.landed += verdict.passed.height + verdict.failed.height
        self.quarantined += verdict.failed.height
        self.reasons.update(verdict.counts)
        for reason, index in verdict.examples.items():
            row = verdict.failed.row(index, named=True)
            reason_of_row = next(text for text in row["reasons"] if f"{text}: ".startswith(f"{reason}: "))
            self._examples.setdefault(
                reason, f"{row['source_uri']}:{row['source_position']}{reason_of_row.removeprefix(reason)}"
            )

    def note(self) -> dict[str, Any]:
        """The counts as a JSON value, for `take`."""
        counts = {"landed": self.landed, "quarantined": self.quarantined, "reasons": dict(self.reasons)}
        return {**counts, "examples": self._examples}

    def take(self, note: Mapping[str, Any]) -> None:
        """Add the counts of later rows, as `note` gives them."""
        self.landed += note["landed"]
        self.quarantined += note["quarantined"]
        self.reasons.update(note["reasons"])
        self._examples = {**note["examples"], **self._examples}

    def enforce(self, budget: float) -> None:
        """Compare with the budget.

        Raises:
            BudgetExceeded: too many rows fail; the message holds the table of reasons.
        """
        # 0.29 of 100 rows are 29: a float's product is a little less.
        if self.quarantined > Fraction(str(budget)) * self.landed:
            share = self.quarantined / self.landed
            raise BudgetExceeded(
                f"{self.source}: {self.quarantined:,} of {self.landed:,} rows ({share:.1%}) fail the contract,"
                f" the budget is {budget:.1%}; nothing was published\n{self._table()}"
            )

    def _table(self) -> str:
        lines = ["| reason | rows | first |", "|---|---:|---|"]
        lines += [
            f"| {reason} | {rows:,} | {self._examples[reason]} |" for reason, rows in self.reasons.most_common(SHOWN)
        ]
        more = len(self.reasons) - SHOWN
        return "\n".join([*lines, f"and {more:,} more reasons"] if more > 0 else lines)
