"""The verdict on a version, as an object, as JSON and as a table."""

import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate's verdict.

    Attributes:
        name: the gate, `slice:<column>` for slices.
        passed: False too when the gate could not be judged.
        value: what was measured; None if it could not be measured.
        threshold: what `value` was held against.
        detail: the rule in words with the numbers that matter, or why it could not be judged.
    """

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All gates of one version.

    Attributes:
        subject: the judged version, in words.
        reference: the champion it was held against, in words, or why there is none.
        metric: name of the metric.
        rows: labelled rows judged on.
        gates: every gate, in the order of the table.
    """

    subject: str
    reference: str
    metric: str
    rows: int
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate passed; a report without gates did not."""
        return bool(self.gates) and all(gate.passed for gate in self.gates)

    def json(self) -> str:
        """As JSON; a number that is not finite becomes null."""
        document = {"passed": self.passed, **asdict(self)}
        for gate in document["gates"]:
            for key in ("value", "threshold"):
                gate[key] = gate[key] if gate[key] is not None and math.isfinite(gate[key]) else None
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)

    def markdown(self) -> str:
        """As a Markdown table, aligned to be read in a log as well."""
        rows = [("gate", "verdict", "value", "threshold", "detail")] + [
            (gate.name, "pass" if gate.passed else "FAIL", _number(gate.value), _number(gate.threshold), gate.detail)
            for gate in self.gates
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["| " + " | ".join([*map(str.ljust, row, widths), row[4]]) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|---|")
        return "\n".join(
            [
                f"{self.subject}: gates {'passed' if self.passed else 'FAILED'} ({self.metric} on {self.rows} rows)",
                f"reference: {self.reference}",
                "",
                *lines,
                "",
            ]
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")
