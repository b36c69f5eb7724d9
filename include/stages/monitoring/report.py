"""What monitoring saw, for people and for a table."""

from collections.abc import Sequence

import polars as pl

from include.foundation.lake.layout import DAY
from include.stages.monitoring.live import Live
from include.stages.monitoring.observation import Observation
from include.stages.monitoring.policy import Decision
from include.stages.monitoring.reference import Reference

SHOWN = 5  # features in a line


def markdown(
    subject: str,
    reference: Reference,
    observations: Sequence[Observation],
    decision: Decision,
    lives: Sequence[Live] = (),
) -> str:
    """The report: the decision, then a line a window, the newest first; then what was really answered.

    Args:
        subject: the version, in words.
        reference: what was ordinary.
        observations: oldest first.
        decision: what follows.
        lives: what was really answered, oldest first; none where nothing was logged.
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
        schema_overrides={
            "value": pl.Float64,
            **dict.fromkeys(("drifted", "signals", "skewed"), pl.List(pl.String)),
            "skewed_shares": pl.List(pl.Float64),
        },
    )
