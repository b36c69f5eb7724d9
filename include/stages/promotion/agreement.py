"""How far two versions' answers to the same requests are apart, over all and in each slice. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from include.foundation.echo import cut
from include.foundation.problem.protocol import Problem

ALL = "all requests"
SHARE_OF_LEAST = 0.2  # of the requests that a step wants, for one slice of them


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Differences of answers, by slice.

    Attributes:
        counts: slice -> rows that both versions answered.
        differences: slice -> mean absolute difference of both answers, of the answers' scale.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    differences: Mapping[str, float] = field(default_factory=dict)

    def beyond(self, allowed: float, *, least: int) -> list[str]:
        """In which slices the versions disagree more than is allowed, in words, the worst first.

        Args:
            allowed: difference.
            least: rows that all requests together must have; a slice, a fifth of them.
        """
        wanted = {name: least if name == ALL else SHARE_OF_LEAST * least for name in self.counts}
        found = sorted(
            (
                name
                for name, difference in self.differences.items()
                if difference > allowed and self.counts[name] >= wanted[name]
            ),
            key=lambda name: -self.differences[name],
        )
        return [
            f"for {name} its answers differ from the stable version's by {self.differences[name]:.3f} on average, "
            f"allowed are {allowed:.3f} ({self.counts[name]} rows)"
            for name in found[:3]
        ]


def agreement(
    messages: Iterable[bytes],
    *,
    stable: str,
    candidate: str,
    stage: str,
    since: str,
    by: Iterable[str],
    problem: Problem,
) -> Agreement:
    """Join what two versions answered to the same rows of the same requests.

    Args:
        messages: of the prediction log; what is none is passed over, for its ingest tells of it.
        stable: version.
        candidate: version.
        stage: where both serve.
        since: RFC 3339 in UTC; what was scored before does not count.
        by: columns of the request whose values are slices.
        problem: says what answers are measured in; a difference is told as a part of that.
    """
    answers: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    for text in messages:
        with suppress(ValueError, TypeError, KeyError):
            message = json.loads(text)
            ours = message["version"] in (stable, candidate) and message["stage"] == stage
            if ours and message["scored_at"] >= since:
                answers[message["request_id"], message["row"]][message["version"]] = message
    said = [answer for each in answers.values() if stable in each and (answer := _numbers(each[stable]["answer"]))]
    scale = problem.scale(np.array(said or [[1.0]]))
    columns, sums, counts = tuple(by), defaultdict[str, float](float), defaultdict[str, int](int)
    for both in answers.values():
        if len(both) < 2:
            continue
        far = _apart(_numbers(both[stable]["answer"]), _numbers(both[candidate]["answer"]), scale) / scale
        record = both[stable].get("record") or {}
        for name in (ALL, *(f"{column} {cut(str(record[column]))}" for column in columns if column in record)):
            sums[name] += far
            counts[name] += 1
    return Agreement(counts=dict(counts), differences={name: sums[name] / counts[name] for name in counts})


def _numbers(answer: Any) -> list[float] | None:
    """The numbers of an answer; None where one is none, which JSON has as null."""
    found = answer if isinstance(answer, list) else [answer]
    return [float(each) for each in found] if all(isinstance(each, int | float) for each in found) else None


def _apart(one: list[float] | None, other: list[float] | None, scale: float) -> float:
    """The greatest difference of two answers' numbers; where only one has numbers, all that there can be."""
    if one is None or other is None or len(one) != len(other):
        return 0.0 if one is other else scale
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0)
