"""Which form ships, and the table and the plot that say why."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.foundation.problem.kinds import Metric
from include.foundation.problem.plots import Chart, Plot, Table, spread
from include.foundation.spec.export import Export
from include.stages.export.candidates import Candidate
from include.stages.export.timing import Times

COLUMNS = ("form", "ships", "p50_us", "p99_us", "rows_per_second", "open_ms", "size_bytes", "metric", "digest", "why")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one form showed.

    Attributes:
        name: of the form.
        ships: whether it is the one.
        why: the reason, in words.
        digest: SHA-256 of its file; empty, and what follows None, if there is none.
        size_bytes: of its file.
        metric: on the holdout; None also where it is not defined.
        times: see `Times`.
    """

    name: str
    ships: bool
    why: str
    digest: str = ""
    size_bytes: int | None = None
    metric: float | None = None
    times: Times | None = None


def choose(
    found: Sequence[Candidate], *, values: Mapping[str, float], times: Mapping[str, Times], metric: Metric, rule: Export
) -> list[Row]:
    """A row for each form; exactly one ships: the fastest of those that the rule lets take the place of the first.

    Args:
        found: the forms; the first has a file, and is what the others are held against.
        values: of those that have a file, the metric on the holdout.
        times: of the same ones.
        metric: what `values` are of.
        rule: the spec's.
    """
    first = found[0].name
    reasons = {
        each.name: each.reason
        or _against(values[each.name], values[first], times[each.name], times[first], metric=metric, rule=rule)
        for each in found[1:]
    }
    able = [name for name, reason in reasons.items() if not reason]
    ships = min(able, key=lambda name: times[name].p50_us, default=first)
    reasons |= dict.fromkeys(able, f"{ships} is faster still")
    reasons[first] = f"{ships} takes its place" if able else "nothing takes its place"
    if able:
        ahead = times[first].p50_us / times[ships].p50_us
        reasons[ships] = f"a row is answered {ahead:.2f} times faster than by {first}, {metric.name} is near enough"
    return [
        Row(
            name=each.name,
            ships=each.name == ships,
            why=reasons[each.name],
            digest=each.scorer.digest if each.scorer else "",
            size_bytes=len(each.data) if each.scorer else None,
            metric=value if math.isfinite(value := values.get(each.name, math.nan)) else None,
            times=times.get(each.name),
        )
        for each in found
    ]


def _against(ours: float, theirs: float, took: Times, long: Times, *, metric: Metric, rule: Export) -> str:
    """Why a form may not take float32's place; empty if it may. A metric that is not defined may not."""
    loss = -metric.gain(ours, theirs)
    if not loss <= rule.margin:
        return f"{metric.name} is {loss:.4g} worse, the spec allows {rule.margin:g}"
    ahead = long.p50_us / took.p50_us
    return "" if ahead >= rule.faster else f"{ahead:.2f} times as fast, the spec asks for {rule.faster:g}"


def table(rows: Sequence[Row], metric: Metric) -> bytes:
    """The rows as CSV, which MLflow shows as a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([metric.name if name == "metric" else name for name in COLUMNS])
    for row in rows:
        took = row.times.model_dump() if row.times else {}
        numbers = {name: f"{value:.6g}" for name, value in took.items()}
        said: dict[str, Any] = {
            "form": row.name,
            "ships": "yes" if row.ships else "no",
            "size_bytes": row.size_bytes,
            **numbers,
        }
        said |= {"metric": row.metric, "digest": row.digest, "why": row.why}
        writer.writerow([said.get(name) for name in COLUMNS])
    return text.getvalue().encode()


def plots(rows: Sequence[Row], metric: Metric) -> list[Plot]:
    """Time against the metric, and the numbers: of the forms that have a file."""
    able = [row for row in rows if row.metric is not None]
    made = [(row.name, row.times, row.metric or 0.0, row.size_bytes or 0) for row in able if row.times]
    values = [value for _, _, value, _ in made]
    return [
        Chart(
            title="Forms of the model file",
            note="ships: " + ", ".join(row.name for row in rows if row.ships),
            x="microseconds a row (p50)",
            y=metric.name,
            series={name: [(took.p50_us, value)] for name, took, value, _ in made},
            lines=False,
            x_range=(0.0, 1.1 * max(took.p50_us for _, took, _, _ in made)),
            y_range=spread(min(values), max(values)),
        ),
        Table(
            title="What each form took",
            note="; ".join(f"{row.name} {'ships' if row.ships else 'does not ship'}: {row.why}" for row in rows),
            columns=("form", "p50 us", "p99 us", "rows/s", "open ms", "kB", metric.name),
            rows=[
                (name, [took.p50_us, took.p99_us, took.rows_per_second, took.open_ms, size / 1000, value])
                for name, took, value, size in made
            ],
        ),
    ]
