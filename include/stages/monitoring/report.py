"""What monitoring saw, for people and for a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from include.foundation.lake.layout import DAY
from include.stages.monitoring.live import Live
from include.stages.monitoring.observation import Observation
from include.stages.monitoring.policy import Decision
from include.stages.monitoring.reference import Reference
from include.stages.monitoring.skew import Skew

SHOWN = 5  # features in a line
SCHEMA = pl.Schema(
    {
        **{DAY: pl.Date(), "start": pl.Date(), "version": pl.String(), "rows": pl.Int64(), "labelled": pl.Int64()},
        **{"metric": pl.String(), "value": pl.Float64(), "ordinary_value": pl.Float64()},
        **{"ordinary_spread": pl.Float64(), "answers_distance": pl.Float64(), "answers_limit": pl.Float64()},
        **{"drifted": pl.List(pl.String), "signals": pl.List(pl.String), "skew_rows": pl.Int64()},
        **{"skewed": pl.List(pl.String), "skewed_shares": pl.List(pl.Float64)},
    }
)


def markdown(
    subject: str,
    reference: Reference,
    observations: Sequence[Observation],
    decision: Decision,
    lives: Sequence[Live] = (),
    *,
    left_out: int = 0,
) -> str:
    """The report: the decision, then a line a window, the newest first; then what was really answered.

    Args:
        subject: the version, in words.
        reference: what was ordinary.
        observations: oldest first.
        decision: what follows.
        lives: what was really answered, oldest first; none where nothing was logged.
        left_out: how many older windows stand as they were.
    """
    lines = [
        f"# {subject}: {'train again' if decision.train else 'no training'}",
        "",
        f"{decision.reason}.",
        "",
        f"Ordinary: {reference.metric} {reference.value:.4f} give or take {reference.spread:.4f}; "
        f"distance of the answers up to {reference.answers.limit:.3f}.",
        "",
        f"| days | rows | labelled | {reference.metric} | answers | features that drifted | signals |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in reversed(observations):
        value = "-" if each.value is None else f"{each.value:.4f}"
        drifted = f"{len(each.drifted)} of {len(reference.features)}"
        if each.drifted:
            drifted += f": {', '.join(each.drifted[:SHOWN])}{', ...' if len(each.drifted) > SHOWN else ''}"
        lines.append(
            f"| {each.start} to {each.end} | {each.rows:,} | {each.labelled:,} | {value} | {each.answers:.3f} "
            f"| {drifted} | {', '.join(each.signals) or '-'} |"
        )
    if left_out:
        lines += ["", f"{left_out} older windows stand as they were; the table has them."]
    if lives:
        lines += [
            "",
            "## What was really answered",
            "",
            f"| days | version | stage | answers | with a label | {reference.metric} |",
            "|---|---|---|---|---|---|",
        ]
    for live in reversed(lives):
        value = "-" if live.value is None else f"{live.value:.4f}"
        lines.append(
            f"| {live.start} to {live.end} | {live.version} | {live.stage} | {live.rows:,} "
            f"| {live.labelled / live.rows:.1%} | {value} |"
        )
    if skews := [f"{each.start} to {each.end}: {each.skew}." for each in reversed(observations) if each.skew.rows]:
        lines += ["", *skews]
    return "\n".join([*lines, ""])


def rows_of(version: str, reference: Reference, observations: Sequence[Observation]) -> pl.DataFrame:
    """A row a window, on its last day, for the table `monitoring.<use case>`."""
    return pl.DataFrame(
        [
            {
                DAY: each.end,
                "start": each.start,
                "version": version,
                "rows": each.rows,
                "labelled": each.labelled,
                "metric": reference.metric,
                "value": each.value,
                "ordinary_value": reference.value,
                "ordinary_spread": reference.spread,
                "answers_distance": each.answers,
                "answers_limit": reference.answers.limit,
                "drifted": list(each.drifted),
                "signals": list(each.signals),
                "skew_rows": each.skew.rows,
                "skewed": [*each.skew.shares],
                "skewed_shares": [*each.skew.shares.values()],
            }
            for each in observations
        ],
        schema=SCHEMA,
    )


def of_row(row: Mapping[str, Any]) -> Observation:
    """What a row of that table says; one from before skew was looked at says nothing of it."""
    shares = dict(zip(row["skewed"] or (), row["skewed_shares"] or (), strict=True))
    return Observation(
        **{name: row[name] for name in ("start", "rows", "labelled", "value", "drifted", "signals")},
        end=row[DAY],
        answers=row["answers_distance"],
        skew=Skew(rows=row["skew_rows"] or 0, shares=shares),
    )
